"""The files of a model in steady use are replaced in place: nobody waits, broken ones harm nobody.

Real NATS, Redis and services with stub engines, whose loads take long enough to be seen.
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

CLIENTS = 3
LOAD_S = 1.5
SETTINGS = {
    "vllm": {"overhead_bytes": 300 * MIB, "kv_cache_bytes": 100 * MIB},
    "orchestration": {"policies": {"max_engines_per_model": 1}},
}
NO_WAIT = {"Prefer": "wait=0"}
"""Whoever would have to wait for a load is refused instead."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """One device with room for two engines, of which one serves."""
    engine = stub_python(
        tmp_path, "--resident-mib", "20", "--chunk-delay", "0.02", "--startup-delay", str(LOAD_S)
    )
    with running(
        tmp_path, engine_python=engine, slot_bytes=1100 * MIB, settings=SETTINGS
    ) as started:
        write_sample_model(started.folder / "made" / "tiny")
        shutil.copytree(started.folder / "made" / "tiny", started.models / "tiny")
        started.wait_for_state("tiny", "unloaded")
        started.chat("tiny")
        yield started


@dataclass
class Callers:
    """They ask again as soon as they are answered, and never wait for a load."""

    system: System
    statuses: list[int] = field(default_factory=list)
    leave: bool = False

    async def ask(self, http: aiohttp.ClientSession) -> None:
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": "tiny", "messages": messages, "max_tokens": 4}
        url = f"{self.system.url}/v1/chat/completions"
        while not self.leave:
            async with http.post(url, json=body, headers=NO_WAIT) as answer:
                await answer.read()
                self.statuses.append(answer.status)

    async def until(self, what: str, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What the gateway says of the model, once it is so and more was answered since."""

        def page() -> dict[str, Any] | None:
            said: dict[str, Any] = self.system.get("/models/tiny")
            return said if met(said) else None

        said: dict[str, Any] = await asyncio.to_thread(wait_until, what, page, 60.0)
        wanted = len(self.statuses) + 2 * CLIENTS
        await asyncio.to_thread(
            wait_until, "more answers", lambda: len(self.statuses) >= wanted, 60.0
        )
        return said


@asynccontextmanager
async def steady(system: System) -> AsyncIterator[Callers]:
    """All of their requests must be answered, and none may have had to wait."""
    callers = Callers(system)
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(callers.ask(http))
        try:
            yield callers
        finally:
            callers.leave = True
    assert set(callers.statuses) == {200}


def put(system: System, name: str, content: bytes) -> None:
    """In one step, by a rename over the file that is there."""
    new = system.folder / f"new-{name}"
    new.write_bytes(content)
    new.replace(system.models / "tiny" / name)


def served_by(*generations: int) -> Callable[[dict[str, Any]], bool]:
    """Each of them serves, and there is no other engine."""
    wanted = [(f"tiny.{generation}", "loaded") for generation in generations]
    return lambda page: [(e["instance_id"], e["state"]) for e in page["engines"]] == wanted


async def test_replaced_files_are_served_without_anybody_waiting_unless_they_are_broken(
    system: System,
) -> None:
    config = (system.models / "tiny" / "config.json").read_bytes()
    weights = write_sample_model(system.folder / "made" / "other", seed=1) / "model.safetensors"
    (first,) = system.engines()
    async with steady(system) as callers:
        put(system, "config.json", b"[]")
        page = await callers.until("they are rejected", lambda p: "cannot be served" in p["reason"])
        assert (page["state"], page["generation"], served_by(1)(page)) == ("loaded", 1, True)

        put(system, "model.safetensors", weights.read_bytes())
        put(system, "config.json", config)
        page = await callers.until("the new one serves alone", served_by(2))
        assert (page["generation"], page["reason"]) == (2, "")
    (second,) = system.engines()
    assert second.pid != first.pid
    assert (await asyncio.to_thread(system.chat, "tiny"))["model"] == "tiny"
