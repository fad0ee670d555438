"""What is followed live over HTTP: who asks, everything with its changes, and an end to it."""

from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import pytest

from modelium.common.advice import AdvisorChanged, BrainAsked, BrainStatus, Standing
from modelium.common.api_keys import Scope
from modelium.common.events import AgentHeartbeat, GatewayStats
from modelium.common.figures import DecisionSource, GatewayModelStats
from modelium.common.records import Instance, InstanceState, ModelState
from modelium.common.testing import a_device
from tests.integration.gateway_rig import Rig, running_gateway, sleepy_tick
from tests.integration.sse import Stream, Told, streamed


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


def an_engine(model: str) -> Instance:
    return Instance(
        instance_id=f"{model}.1",
        model=model,
        agent_id="local",
        device_ids=("cpu-0",),
        generation=1,
        state=InstanceState.LOADED,
        reserved_bytes=200,
        resident_bytes=100,
    )


def a_beat(*models: str) -> AgentHeartbeat:
    return AgentHeartbeat(
        agent_id="local",
        launcher="process",
        devices=(a_device(device_id="cpu-0"),),
        instances=tuple(an_engine(model) for model in models),
    )


def figures_of(model: str, **changes: Any) -> GatewayModelStats:
    nothing = {"requests": 0, "failures": 0, "in_flight": 0, "waiting": 0, "oldest_wait_s": 0}
    fields = {**nothing, "model": model, "idle_s": None, "routed_generations": (), **changes}
    return GatewayModelStats.model_validate(fields)


def row(data: Any, model: str = "qwen") -> Any:
    return next((row for row in data["models"] if row["model"] == model), None)


async def change(stream: Stream, met: Callable[[Any], object]) -> Told:
    """The first change that is as wanted."""
    while True:
        told = await stream.next()
        assert told.event == "change"
        if met(told.data):
            return told


async def test_first_comes_everything_then_only_what_changes(rig: Rig) -> None:
    await rig.become("other", load_s=2.0)  # else it is expected to load as the other one did
    await rig.around.bus.publish(a_beat())
    async with streamed(rig.http, f"{rig.url}/live") as stream:
        first = await stream.next()
        assert (first.event, stream.retry_ms) == ("snapshot", 2000)
        assert [model["model"] for model in first.data["models"]] == ["other", "qwen"]
        assert [device["device_id"] for device in first.data["devices"]] == ["cpu-0"]
        assert first.data["gateway"]["nats_connected"]
        assert first.data["advisor"] is None
        _, url = await rig.engine()
        await rig.loaded(url)
        loaded = await change(stream, row)
        assert row(loaded.data)["state"] == "loaded"
        assert not row(loaded.data, "other"), "it has not changed"
        assert loaded.data["devices"] == [], "nor has the device"
        assert int(loaded.id) > int(first.id)
        await rig.around.bus.publish(a_beat("qwen"))
        device = await change(stream, lambda data: data["devices"])
        [engine] = device.data["devices"][0]["engines"]
        assert (engine["model"], engine["resident_bytes"]) == ("qwen", 100)
        rig.gateway.updates.forget("other")
        gone = await change(stream, lambda data: data["gone_models"])
        assert gone.data["gone_models"] == ["other"]


async def test_who_comes_again_gets_everything_whatever_was_seen(rig: Rig) -> None:
    async with streamed(rig.http, f"{rig.url}/live") as stream:
        seen = await stream.next()
    await rig.become(state=ModelState.LOADING, generation=1, reason="loads")
    again = {"last-event-id": seen.id}
    async with streamed(rig.http, f"{rig.url}/live", headers=again) as stream:
        snapshot = await stream.next()
        assert snapshot.event == "snapshot"
        loading = row(snapshot.data)
        assert (loading["state"], loading["expected_load_s"]) == ("loading", 30.0)
        assert loading["load_started_at"] <= snapshot.data["time"]


async def another_gateway(rig: Rig) -> None:
    """It serves `qwen`, and tells of it while it lives."""
    for requests in count(1):
        told = figures_of("qwen", requests=requests, in_flight=3, waiting=2, latency_p99_s=0.25)
        await rig.around.bus.publish(GatewayStats(gateway_id="other", models=(told,)))
        await rig.around.clock.sleep(0.1)


async def test_figures_are_those_of_all_gateways(rig: Rig) -> None:
    rig.tasks.append(rig.group.create_task(another_gateway(rig)))
    async with streamed(rig.http, f"{rig.url}/live") as stream:
        await stream.next()
        await rig.around.bus.publish(sleepy_tick())
        told = await change(
            stream,
            lambda data: row(data) and row(data)["can_sleep"] and row(data)["requests_per_second"],
        )
        model, gateway = row(told.data), told.data["gateway"]
        assert (model["in_flight"], model["waiting"], model["p99_ms"]) == (3, 2, 250.0)
        assert gateway["requests_per_second"] == model["requests_per_second"]
        assert (gateway["active_requests"], gateway["waiting"]) == (5, 2)


async def test_who_advises_is_told_when_the_lead_changes(rig: Rig) -> None:
    standing = Standing(leader=DecisionSource.LLM, regret_s=-1.5)

    async def status(_: BrainAsked) -> BrainStatus:
        return BrainStatus(backend="openai", advisor="openai:tiny", standing=standing)

    rig.tasks.append(rig.group.create_task(rig.around.bus.answer({BrainAsked: status})))
    async with streamed(rig.http, f"{rig.url}/live") as stream:
        await stream.next()
        changed = AdvisorChanged(advisor="openai:tiny", standing=standing, reason="it is better")
        await rig.around.bus.publish(changed)
        told = await change(stream, lambda data: data["advisor"])
        assert told.data["advisor"] == {"leads": "llm", "backend": "openai", "since": None}
    async with rig.http.get(f"{rig.url}/admin/brain") as response:
        [regret] = (await response.json())["history"]
        assert (regret["llm"], regret["rules"]) == (-1.5, 0.0)


async def test_a_key_sees_its_own_models_and_sums_of_the_others() -> None:
    async with running_gateway(authentication="keys") as rig:
        await rig.become("other")
        every = await rig.key()
        asked = [rig.chat(every, model=m) for m in ("qwen", "other", "other")]
        rig.tasks += [rig.group.create_task(chat) for chat in asked]
        await rig.waiting(2, "other")
        await rig.waiting(1, "qwen")
        await rig.around.bus.publish(a_beat("qwen", "other", "secret"))
        key = await rig.key(models=("qw*",))
        async with streamed(rig.http, f"{rig.url}/live", headers=key) as stream:
            snapshot = await stream.next()
            assert [model["model"] for model in snapshot.data["models"]] == ["qwen"]
            assert snapshot.data["gateway"]["waiting"] == 1
            own, others = snapshot.data["devices"][0]["engines"]
            assert (own["model"], own["reserved_bytes"]) == ("qwen", 200)
            assert (others["model"], others["instance_id"]) == ("", "")
            assert (others["reserved_bytes"], others["resident_bytes"]) == (400, 200)
            await rig.become("other", reason="this is none of its business")
            await rig.become("qwen", reason="this is")
            told = await change(stream, lambda data: row(data) and row(data)["reason"])
            assert [model["model"] for model in told.data["models"]] == ["qwen"]
            assert "other" not in str(told.data)


async def test_streams_end_at_once_when_the_gateway_stops(rig: Rig) -> None:
    """Also while other requests are still answered."""
    stub, url = await rig.engine(chunk_delay_s=0.05)
    await rig.loaded(url)
    long = rig.post(messages=[], stream=True, max_tokens=100_000)
    async with long, streamed(rig.http, f"{rig.url}/live") as live:
        async with streamed(rig.http, f"{rig.url}/events") as events:
            await rig.until(lambda: stub.running == 1)
            await live.next()
            drained = rig.group.create_task(rig.gateway.app.drain(60.0))
            await live.ended()
            await events.ended()
            assert not drained.done()
            for path in ("/live", "/events"):
                async with rig.http.get(rig.url + path) as response:
                    assert response.status == 503
        drained.cancel()


async def test_nobody_looks_after_the_client_has_gone(rig: Rig) -> None:
    async with streamed(rig.http, f"{rig.url}/live") as stream:
        await stream.next()
        assert rig.gateway.live.board.lookers == 1
    await rig.until(lambda: rig.gateway.live.board.lookers == 0)


async def session(rig: Rig, **headers: str) -> tuple[int, Any]:
    async with rig.http.get(f"{rig.url}/session", headers=headers) as response:
        return response.status, await response.json()


async def test_a_session_tells_who_a_key_is() -> None:
    async with running_gateway(authentication="keys") as rig:
        assert (await session(rig))[0] == 401
        key = await rig.key(name="app", models=("qw*",), scopes=(Scope.READ,))
        status, told = await session(rig, **key)
        assert status == 200
        assert (told["organization"], told["name"], told["models"]) == ("acme", "app", ["qw*"])
        assert (told["scopes"], told["authentication"]) == (["read"], "keys")
        assert told["key_id"]


async def test_without_keys_everybody_may_do_everything(rig: Rig) -> None:
    _, told = await session(rig)
    assert (told["key_id"], told["name"], told["authentication"]) == (None, "", "none")
    assert told["scopes"] == sorted(Scope)
    assert told["features"] == {"upload": False}
