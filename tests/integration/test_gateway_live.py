"""What is followed live over HTTP: the session, everything with its changes, and the bus."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from modelium.common.events import AgentHeartbeat
from modelium.common.records import Instance, InstanceState
from modelium.common.testing import a_device
from tests.integration.gateway_rig import Rig, running_gateway
from tests.integration.sse import Stream, Told, streamed


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


def an_engine(model: str, resident_bytes: int = 100) -> Instance:
    return Instance(
        instance_id=f"{model}.1",
        model=model,
        agent_id="local",
        device_ids=("cpu-0",),
        generation=1,
        state=InstanceState.LOADED,
        reserved_bytes=200,
        resident_bytes=resident_bytes,
    )


def a_beat(*models: str) -> AgentHeartbeat:
    return AgentHeartbeat(
        agent_id="local",
        launcher="process",
        devices=(a_device(device_id="cpu-0"),),
        instances=tuple(an_engine(model) for model in models),
    )


async def until(stream: Stream, met: Callable[[Any], bool]) -> Told:
    """The first change that is as wanted."""
    while True:
        told = await stream.next()
        assert told.event == "change"
        if met(told.data):
            return told


def row(data: Any, model: str = "qwen") -> Any:
    return next((row for row in data["models"] if row["model"] == model), None)


async def test_first_comes_everything_then_only_what_changes(rig: Rig) -> None:
    await rig.become("other")
    await rig.around.bus.publish(a_beat())
    async with streamed(rig.http, f"{rig.url}/live") as stream:
        first = await stream.next()
        assert (first.event, stream.retry_ms) == ("snapshot", 2000)
        assert [m["model"] for m in first.data["models"]] == ["other", "qwen"]
        assert [d["device_id"] for d in first.data["devices"]] == ["cpu-0"]
        assert first.data["gateway"]["nats_connected"]
        _, url = await rig.engine()
        await rig.loaded(url)
        await rig.around.bus.publish(a_beat("qwen"))
        loaded = await until(stream, lambda data: row(data) is not None)
        assert row(loaded.data)["state"] == "loaded"
        assert not row(loaded.data, "other"), "it has not changed"
        assert int(loaded.id) > int(first.id)
        await rig.around.store.models.delete("other")
        rig.gateway.updates.forget("other")
        gone = await until(stream, lambda data: data["gone_models"])
        assert gone.data["gone_models"] == ["other"]
