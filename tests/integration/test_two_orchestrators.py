"""Two orchestrators as processes, with all others real: the one that leads is killed or held up
in the middle of a load, while a request waits for it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.msg import Msg

from modelium.cli.sample import write_sample_model
from modelium.common.clock import SystemClock
from modelium.common.envelope import REASON_HEADER
from tests.pairs import Pair
from tests.system import System, running, stub_python, wait_until

CLOCK = SystemClock()
WAIT_S = 60.0
LOAD_S = 12.0
"""Longer than the lease and what else a take-over needs, so that it happens in the middle."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    engine = stub_python(tmp_path, "--startup-delay", str(LOAD_S))
    slots = {"runtime_agent": {"cpu_slots": 2}}
    with running(tmp_path, engine_python=engine, slot_bytes=4 << 30, settings=slots) as started:
        yield started


@pytest.fixture
def pair(system: System) -> Pair:
    return Pair(system, "orchestrator")


class Observer:
    """Sees every command, every load that is begun, and every dead letter."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.commands: list[dict[str, Any]] = []
        self.loading: list[str] = []
        self.dead: list[str] = []
        self.heartbeats: list[int] = []

    async def hear(self, msg: Msg) -> None:
        body = json.loads(msg.data)
        if msg.subject.startswith("dead."):
            self.dead.append((msg.headers or {})[REASON_HEADER])
        elif msg.subject == "orchestrator.heartbeat":
            self.heartbeats.append(body["epoch"])
        elif msg.subject.startswith("command."):
            self.commands.append(body)
        else:
            self.loading.append(body["instance_id"])

    def epochs(self) -> list[int]:
        """Of all commands, in their order."""
        return [command["epoch"] for command in self.commands]

    async def say_again(self, command: dict[str, Any], **changes: Any) -> None:
        """Send a command once more, with its epoch, as a new message."""
        body = {key: value for key, value in command.items() if key != "message_id"} | changes
        payload = json.dumps(body).encode()
        await self.client.jetstream().publish(f"command.{body['agent_id']}.load", payload)

    async def until_commanded(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.commands) < count:
                await CLOCK.sleep(0.05)

    async def until_heard(self, beats: int) -> None:
        """Until a leader after the one that sent the first command has said so this often."""
        async with asyncio.timeout(WAIT_S):
            while sum(epoch > self.epochs()[0] for epoch in self.heartbeats) < beats:
                await CLOCK.sleep(0.05)

    async def until_dead(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.dead) < count:
                await CLOCK.sleep(0.05)


@asynccontextmanager
async def observed(system: System) -> AsyncIterator[Observer]:
    client = await nats.connect(f"nats://127.0.0.1:{system.ports['nats']}")
    observer = Observer(client)
    for subject in ("command.>", "dead.>", "runtime.loading", "orchestrator.heartbeat"):
        await client.subscribe(subject, cb=observer.hear)
    await client.flush()
    try:
        yield observer
    finally:
        await client.close()


def waiting_request(system: System, pool: ThreadPoolExecutor, model: str) -> Future[Any]:
    """A request for a model that was just dropped, on its way."""
    write_sample_model(system.models / model)
    wait_until(f"{model} is known", lambda: system.model(model))
    return pool.submit(system.chat, model)


async def answered(request: Future[Any]) -> Any:
    return await asyncio.wrap_future(request)


async def test_a_load_goes_on_and_its_request_is_answered_when_the_leader_is_killed(
    system: System, pair: Pair
) -> None:
    leader = pair.leader()
    with ThreadPoolExecutor() as pool:
        async with observed(system) as seen:
            request = await asyncio.to_thread(waiting_request, system, pool, "a")
            await seen.until_commanded(1)
            await asyncio.to_thread(system.kill, leader)
            await asyncio.to_thread(pair.wait_for, pair.other(leader))
            await seen.until_heard(2)
            # As if it had been on its way out when its process was killed.
            await seen.say_again(seen.commands[0], instance_id="a.2", generation=2)
            await seen.until_dead(1)
            assert "was replaced" in seen.dead[0]
            assert (await answered(request))["model"] == "a"
            assert (system.model("a") or {})["generation"] == 1
            assert set(seen.loading) == {"a.1"}


async def test_a_leader_that_was_held_up_sends_nothing_more_when_it_goes_on(
    system: System, pair: Pair
) -> None:
    leader = pair.leader()
    with ThreadPoolExecutor() as pool:
        async with observed(system) as seen:
            first = await asyncio.to_thread(waiting_request, system, pool, "a")
            await seen.until_commanded(1)
            with pair.held_up(leader):
                # What calls for this command is on its way to the one that is held up, too.
                second = await asyncio.to_thread(waiting_request, system, pool, "b")
                await seen.until_commanded(2)
            for request, model in ((first, "a"), (second, "b")):
                assert (await answered(request))["model"] == model
            await asyncio.to_thread(wait_until, "it answers", lambda: system.is_ready(leader))
            assert seen.epochs() == sorted(seen.epochs())
            assert seen.epochs()[0] < seen.epochs()[1]
            assert sorted(set(seen.loading)) == ["a.1", "b.1"]
            assert not seen.dead
