"""Decisions over HTTP, page by page, as the registry keeps them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from modelium.common.events import DecisionMade
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.registry.past import keep
from tests.integration.gateway_rig import Rig, running_gateway


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


async def made(rig: Rig, *decisions: Decision, **changes: Any) -> str:
    message = DecisionMade(
        origin="brain", source=DecisionSource.LLM, inputs_digest="0", decisions=decisions, **changes
    )
    await keep(message, store=rig.around.store)
    return message.message_id


async def page(rig: Rig, **query: Any) -> Any:
    async with rig.http.get(f"{rig.url}/admin/decisions", params=query) as response:
        assert response.status == 200
        return await response.json()


async def test_a_decision_tells_what_counts_and_what_a_rule_forbids(rig: Rig) -> None:
    load = Decision(
        model="qwen", action=DecidedAction.LOAD, reason="wanted", confidence=0.9, device_ids=("d",)
    )
    evict = Decision(
        model="b", action=DecidedAction.EVICT, reason="idle", confidence=0.5, dropped_by="pinned"
    )
    first = await made(rig, load, evict, shadow=True)
    second = await made(rig, load.model_copy(update={"model": "c"}))
    newest, oldest = (await page(rig))["decisions"]
    assert (newest["id"], newest["leads"]) == (second, True)
    assert (oldest["id"], oldest["leads"], oldest["source"]) == (first, False, "llm")
    assert (oldest["confidence"], oldest["outcome"]) == (0.5, None)
    [action], [dropped] = oldest["actions"], oldest["dropped"]
    assert action == {"action": "load", "model": "qwen", "device": "d", "reason": "wanted"}
    assert dropped == {"action": "evict", "model": "b", "rule": "pinned"}


async def test_pages_lead_from_the_newest_decision_to_the_oldest(rig: Rig) -> None:
    ids = [
        await made(rig, Decision(model=f"m{n}", action=DecidedAction.KEEP, reason=""))
        for n in range(5)
    ]
    seen, query = [], {}
    while True:
        told = await page(rig, limit=2, **query)
        seen += [decision["id"] for decision in told["decisions"]]
        if told["next_before"] is None:
            break
        query = {"before": told["next_before"]}
    assert seen == ids[::-1]
    assert await page(rig, before=ids[0]) == {"decisions": [], "next_before": None}


async def test_a_place_that_is_not_known_is_refused(rig: Rig) -> None:
    """It looked like the end."""
    url = f"{rig.url}/admin/decisions"
    async with rig.http.get(url, params={"before": "nothing"}) as response:
        error = (await response.json())["error"]
        assert (response.status, error["param"]) == (400, "before")
        assert "'nothing'" in error["message"]
