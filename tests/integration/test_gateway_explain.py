"""Plans and explanations over HTTP; the test plays the orchestrator and the registry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from modelium.common.api_keys import Scope
from modelium.common.clock import utc_now
from modelium.common.events import PlanAsked
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.history import DecisionRecord
from modelium.common.plans import Plan, PlanAnswer, PlanOutcome, Victim
from modelium.common.records import ModelState
from modelium.common.testing import yield_to_others
from tests.contract.buses import running
from tests.integration.gateway_rig import Rig, running_gateway

PLAN = Plan(
    model="qwen",
    state=ModelState.UNLOADED,
    outcome=PlanOutcome.DISPLACE,
    reason="needs 2.8 GiB, CPU slot 0 has 0.9 GiB free; waiting for a to drain",
    device_ids=("cpu-local-0",),
    device_name="CPU slot 0",
    needed_bytes=3,
    free_bytes=1,
    victims=(Victim(model="a", held_bytes=2, in_flight=1, reason="has 1 in flight"),),
    eta_s=12.5,
)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


@asynccontextmanager
async def an_orchestrator(rig: Rig, answer: PlanAnswer) -> AsyncIterator[list[str]]:
    """One that answers so; the models it was asked about."""
    asked: list[str] = []

    async def on_plan_asked(question: PlanAsked) -> PlanAnswer:
        asked.append(question.model)
        return answer

    async with running(rig.around.bus.answer({PlanAsked: on_plan_asked})):
        await yield_to_others()
        yield asked


async def get(rig: Rig, path: str, **options: Any) -> tuple[int, Any]:
    async with rig.http.get(rig.url + path, **options) as answer:
        return answer.status, await answer.json()


async def decided(rig: Rig, decision_id: str, *, ago_s: float = 0.0, **decision: Any) -> None:
    """As the registry keeps it."""
    given = {"model": "qwen", "action": DecidedAction.QUEUE, "reason": "no room", **decision}
    record = DecisionRecord(
        decision_id=decision_id,
        made_at=utc_now() - timedelta(seconds=ago_s),
        origin="orchestrator",
        source=DecisionSource.RULES,
        inputs_digest="0123",
        decisions=(
            Decision.model_validate(given),
            Decision(model="z", action=DecidedAction.KEEP, reason=""),
        ),
    )
    await rig.around.store.history.note_decision(record)


async def test_the_plan_is_the_orchestrators(rig: Rig) -> None:
    async with an_orchestrator(rig, PlanAnswer(plan=PLAN)) as asked:
        status, body = await get(rig, "/admin/plan/qwen")
    assert (status, asked) == (200, ["qwen"])
    assert Plan.model_validate(body) == PLAN


async def test_an_unknown_model_is_404_and_nobody_is_asked(rig: Rig) -> None:
    async with an_orchestrator(rig, PlanAnswer(plan=PLAN)) as asked:
        status, body = await get(rig, "/admin/plan/nobody")
    assert (status, body["error"]["code"], asked) == (404, "model_not_found", [])


async def test_without_an_orchestrator_there_is_no_plan_and_it_says_so(rig: Rig) -> None:
    status, body = await get(rig, "/admin/plan/qwen")
    assert (status, body["error"]["code"]) == (503, "service_unavailable")
    assert "orchestrator does not run" in body["error"]["message"]


async def test_an_orchestrator_that_cannot_say_yet_says_why(rig: Rig) -> None:
    async with an_orchestrator(rig, PlanAnswer(plan=None, problem="it has just started")):
        status, body = await get(rig, "/admin/plan/qwen")
    assert status == 503
    assert "it has just started" in body["error"]["message"]


async def test_a_model_is_explained_by_what_was_decided_of_it(rig: Rig) -> None:
    await decided(rig, "d1", ago_s=20, reason="a is in use")
    await decided(rig, "d2", ago_s=10, model="b", victims=("qwen",))
    await decided(rig, "d3", model="b")
    await rig.become(reason="needs 2.8 GiB")
    status, body = await get(rig, "/admin/explain/qwen")
    assert (status, body["about"], body["state"]) == (200, "model", "unloaded")
    assert body["reason"] == "needs 2.8 GiB"
    assert [d["decision_id"] for d in body["decisions"]] == ["d1", "d2"]
    assert [d["reason"] for d in body["decisions"][0]["decisions"]] == ["a is in use"]
    _, body = await get(rig, "/admin/explain/qwen?limit=1")
    assert [d["decision_id"] for d in body["decisions"]] == ["d2"]


async def test_a_model_that_is_gone_is_explained_as_long_as_it_is_remembered(rig: Rig) -> None:
    await decided(rig, "d1", model="gone")
    status, body = await get(rig, "/admin/explain/gone")
    assert (status, body["about"], body["state"]) == (200, "model", None)


async def test_a_decision_is_explained_whole(rig: Rig) -> None:
    await decided(rig, "d1")
    status, body = await get(rig, "/admin/explain/d1")
    assert (status, body["about"], body["model"]) == (200, "decision", None)
    assert [d["model"] for d in body["decisions"][0]["decisions"]] == ["qwen", "z"]


async def test_what_is_not_kept_is_404(rig: Rig) -> None:
    for what in ("nothing", "a/b", quote("ü ?", safe=""), "%ff", "x" * 2000):
        status, body = await get(rig, f"/admin/explain/{what}")
        assert (status, body["error"]["code"]) == (404, "not_found"), what
        assert "Nothing is kept" in body["error"]["message"]


async def test_while_the_store_is_away_nothing_is_explained(rig: Rig) -> None:
    rig.around.store.answers = False
    status, body = await get(rig, "/admin/explain/qwen")
    assert (status, body["error"]["code"]) == (503, "service_unavailable")


@pytest.mark.parametrize("path", ["/admin/plan/qwen", "/admin/explain/qwen"])
async def test_only_operators_may_ask(path: str) -> None:
    async with running_gateway(authentication="keys") as rig:
        key = await rig.key(scopes=(Scope.READ,))
        assert (await get(rig, path))[0] == 401
        status, body = await get(rig, path, headers=key)
        assert (status, body["error"]["code"]) == (403, "insufficient_scope")


async def explained(rig: Rig, request_id: str, wanted: str) -> Any:
    """Once the gateway has written how the request ended."""
    while True:
        status, body = await get(rig, f"/admin/explain/{quote(request_id, safe='')}")
        if status == 200 and body["request"]["ended"] == wanted:
            return body
        await rig.around.clock.sleep(0.02)


async def test_a_request_that_waited_is_explained_by_what_it_waited_for(rig: Rig) -> None:
    await decided(rig, "long ago", ago_s=60)
    await decided(rig, "before", ago_s=50)
    _, url = await rig.engine()
    asking = asyncio.ensure_future(rig.chat({"x-request-id": "my/request 1"}))
    await rig.waiting()
    waits = await explained(rig, "my/request 1", "")
    assert waits["request"]["waited_s"] is None
    await decided(rig, "meanwhile", action=DecidedAction.LOAD)
    await rig.loaded(url)
    assert (await asking)[0] == 200
    body = await explained(rig, "my/request 1", "served")
    await decided(rig, "later")
    assert (body["about"], body["model"], body["state"]) == ("request", "qwen", "loaded")
    assert body["request"]["found"] == "unloaded"
    assert body["request"]["waited_s"] > 0
    assert [d["decision_id"] for d in body["decisions"]] == ["before", "meanwhile"]


async def test_a_request_whose_time_was_up_is_kept_with_its_error() -> None:
    async with running_gateway(queue_timeout_seconds=0.1) as rig:
        status, _ = await rig.chat({"x-request-id": "r1"})
        assert status == 503
        assert (await explained(rig, "r1", "model_loading"))["request"]["waited_s"] >= 0.1


async def test_nothing_is_kept_of_a_request_for_a_loaded_model(rig: Rig) -> None:
    _, url = await rig.engine()
    await rig.loaded(url)
    assert (await rig.chat({"x-request-id": "r1"}))[0] == 200
    await rig.gateway.waits.flush()
    assert await rig.around.store.history.request("r1") is None
