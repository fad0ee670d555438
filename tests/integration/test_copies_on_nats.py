"""A crowd brings a second engine of a model, its death costs no request, and the calm ends it.

Real NATS, Redis, registry, orchestrator, gateway and agent with stub engines.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.settings import MIB
from tests.system import System, running, stub_python, wait_until

CLIENTS = 8
POLICIES = {
    "max_engines_per_model": 2,
    "copy_above_requests": 4,
    "copy_after_seconds": 1,
    "drop_copy_after_seconds": 2,
}
SETTINGS = {
    "vllm": {"overhead_bytes": 300 * MIB, "kv_cache_bytes": 100 * MIB},
    "runtime_agent": {"cpu_slots": 2},
    "orchestration": {"policies": POLICIES},
}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Two slots with room for one engine each."""
    engine = stub_python(tmp_path, "--resident-mib", "400", "--chunk-delay", "0.1")
    with running(
        tmp_path, engine_python=engine, slot_bytes=700 * MIB, settings=SETTINGS
    ) as started:
        write_sample_model(started.folder / "made" / "tiny")
        shutil.copytree(started.folder / "made" / "tiny", started.models / "tiny")
        started.wait_for_state("tiny", "unloaded")
        yield started


@dataclass
class Crowd:
    """Clients that ask again as soon as they are answered."""

    system: System
    statuses: list[int] = field(default_factory=list)
    leave: bool = False

    async def client(self, http: aiohttp.ClientSession) -> None:
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": "tiny", "messages": messages, "max_tokens": 4}
        while not self.leave:
            async with http.post(f"{self.system.url}/v1/chat/completions", json=body) as answer:
                await answer.read()
                self.statuses.append(answer.status)

    async def until(self, what: str, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What the gateway says of the model, once it is so."""

        def page() -> dict[str, Any] | None:
            said: dict[str, Any] = self.system.get("/models/tiny")
            return said if met(said) else None

        said: dict[str, Any] = await asyncio.to_thread(wait_until, what, page, 60.0)
        return said

    async def answered(self, more: int) -> None:
        """Wait for so many more answers."""
        wanted = len(self.statuses) + more
        enough = lambda: len(self.statuses) >= wanted  # noqa: E731
        await asyncio.to_thread(wait_until, f"{more} more answers", enough, 60.0)


@asynccontextmanager
async def a_crowd(system: System) -> AsyncIterator[Crowd]:
    """All of its requests must be answered."""
    crowd = Crowd(system)
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(crowd.client(http))
        try:
            yield crowd
        finally:
            crowd.leave = True
    assert set(crowd.statuses) == {200}


def loaded(count: int) -> Callable[[dict[str, Any]], bool]:
    return lambda page: [e["state"] for e in page["engines"]] == ["loaded"] * count


async def test_a_crowd_is_served_by_two_engines_and_the_calm_by_one(system: System) -> None:
    async with a_crowd(system) as crowd:
        page = await crowd.until("two engines serve", loaded(2))
        assert page["state"] == "loaded"
        assert len({device for e in page["engines"] for device in e["device_ids"]}) == 2
        await crowd.until("both have requests", lambda p: all(e["in_flight"] for e in p["engines"]))
    await Crowd(system).until("one engine is enough", loaded(1))
    assert (await asyncio.to_thread(system.chat, "tiny"))["model"] == "tiny"

    async with a_crowd(system) as crowd:
        await crowd.until("two engines serve", loaded(2))
        await crowd.until("both have requests", lambda p: all(e["in_flight"] for e in p["engines"]))
        system.engines()[0].kill()
        page = await crowd.until("one engine is left", loaded(1))
        assert page["state"] == "loaded"
        await crowd.answered(3 * CLIENTS)
