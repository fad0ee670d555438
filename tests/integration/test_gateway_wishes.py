"""What operators want of models, over HTTP; the test plays the orchestrator and the registry."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from modelium.common.descriptor import Overrides
from modelium.common.events import (
    MESSAGES,
    ModelPinRequested,
    ModelRequested,
    ModelRetryRequested,
    ModelSleepRequested,
    ModelUnloadRequested,
    SleepAsked,
    Wish,
)
from modelium.common.plans import SleepAnswer
from modelium.common.records import ModelState
from modelium.common.testing import a_descriptor, yield_to_others
from tests.contract.buses import running
from tests.integration.gateway_rig import Rig, running_gateway

WISHES = [kind for kind in MESSAGES if issubclass(kind, Wish)]
ALWAYS_LOADED = "orchestration.policies.always_loaded"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


async def ask(rig: Rig, method: str, verb: str, model: str = "qwen") -> tuple[int, Any]:
    url = f"{rig.url}/admin/models/{model}/{verb}"
    async with rig.http.request(method, url) as answer:
        if answer.status == 202:
            async with rig.http.get(rig.url + answer.headers["location"]) as page:
                assert page.status == 200
        return answer.status, await answer.json()


async def error(rig: Rig, method: str, verb: str, status: int) -> tuple[str, str]:
    """The error's code and text; nothing was published."""
    told, body = await ask(rig, method, verb)
    assert told == status
    assert not [wish for kind in WISHES for wish in rig.around.bus.of(kind)]
    return body["error"]["code"], body["error"]["message"]


@pytest.mark.parametrize(
    ("method", "verb", "kind"),
    [
        ("POST", "load", ModelRequested),
        ("POST", "unload", ModelUnloadRequested),
        ("POST", "retry", ModelRetryRequested),
        ("PUT", "pin", ModelPinRequested),
        ("DELETE", "pin", ModelPinRequested),
    ],
)
async def test_a_wish_is_published_and_accepted_with_a_status_url(
    rig: Rig, method: str, verb: str, kind: type[Wish]
) -> None:
    await rig.become(state=ModelState.ERROR, failures=2)
    status, body = await ask(rig, method, verb)
    assert (status, body["model"], body["state"]) == (202, "qwen", "error")
    [wish] = rig.around.bus.of(kind)
    assert isinstance(wish, Wish)
    assert (wish.model, wish.requested_by) == ("qwen", "operator")
    if isinstance(wish, ModelPinRequested):
        assert wish.pinned is (method == "PUT")
    assert (await ask(rig, method, verb, model="nobody"))[0] == 404


async def sleep(rig: Rig, answer: SleepAnswer) -> tuple[int, Any]:
    """Ask for a sleep where the orchestrator says so."""

    async def on_sleep_asked(_: SleepAsked) -> SleepAnswer:
        return answer

    async with running(rig.around.bus.answer({SleepAsked: on_sleep_asked})):
        await yield_to_others()
        return await ask(rig, "POST", "sleep")


async def test_who_can_sleep_is_asked_to_and_who_cannot_is_refused_with_the_reason(
    rig: Rig,
) -> None:
    status, body = await sleep(rig, SleepAnswer(obstacle="it is served by a model host"))
    assert (status, body["error"]["code"]) == (409, "model_cannot_sleep")
    assert "it is served by a model host" in body["error"]["message"]
    assert (await sleep(rig, SleepAnswer(problem="it has just started")))[0] == 503
    assert rig.around.bus.of(ModelSleepRequested) == []
    assert (await sleep(rig, SleepAnswer()))[0] == 202
    [wish] = rig.around.bus.of(ModelSleepRequested)
    assert isinstance(wish, ModelSleepRequested) and wish.model == "qwen"


async def test_what_has_not_failed_is_not_tried_again(rig: Rig) -> None:
    code, text = await error(rig, "POST", "retry", 409)
    assert code == "model_not_failed"
    assert "unloaded and has not failed" in text


@pytest.mark.parametrize("verb", ["unload", "sleep"])
async def test_whoever_has_pinned_a_model_is_named_where_it_is_to_go(verb: str) -> None:
    async with running_gateway(pinned=["qwen"]) as rig:
        assert ALWAYS_LOADED in (await error(rig, "POST", verb, 409))[1]
        assert ALWAYS_LOADED in (await error(rig, "DELETE", "pin", 409))[1]
    async with running_gateway() as rig:
        await rig.become(pinned=True)
        assert "modelium unpin qwen" in (await error(rig, "POST", verb, 409))[1]
        named = a_descriptor(overrides=Overrides(pin=True))
        await rig.become(pinned=False, descriptor=named)
        code, text = await error(rig, "POST", verb, 409)
        assert (code, "`pin`" in text) == ("model_pinned", True)
        assert "`pin`" in (await error(rig, "DELETE", "pin", 409))[1]


async def test_pages_show_who_is_pinned(rig: Rig) -> None:
    for pinned in (False, True):
        await rig.become(pinned=pinned)
        async with rig.http.get(rig.url + "/models/qwen") as answer:
            assert (await answer.json())["pinned"] is pinned
