"""The files of a model in steady use are replaced in place: nobody waits, broken ones harm nobody.

Real NATS, Redis and services with stub engines, whose loads take long enough to be seen.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.settings import MIB
from tests.integration.callers import Callers, calling, drop_tiny
from tests.integration.callers import until as seen
from tests.system import System, running, stub_python

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
        drop_tiny(started)
        started.chat("tiny")
        yield started


async def until(
    callers: Callers, what: str, met: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """What the gateway says of the model, once it is so and more was answered since."""
    page = await seen(callers.system, what, met)
    await callers.answered(2 * CLIENTS)
    return page


def put(system: System, name: str, content: bytes) -> None:
    """In one step, by a rename over the file that is there."""
    new = system.folder / f"new-{name}"
    new.write_bytes(content)
    new.replace(system.models / "tiny" / name)


def served_by(*generations: int) -> Callable[[dict[str, Any]], bool]:
    """Each of them serves, and there is no other engine."""
    wanted = [(f"tiny.{generation}", "loaded") for generation in generations]
    return lambda page: [(e["instance_id"], e["state"]) for e in page["engines"]] == wanted


def rejected(page: dict[str, Any]) -> bool:
    return "cannot be served" in page["reason"]


async def test_replaced_files_are_served_without_anybody_waiting_unless_they_are_broken(
    system: System,
) -> None:
    config = (system.models / "tiny" / "config.json").read_bytes()
    weights = write_sample_model(system.folder / "made" / "other", seed=1) / "model.safetensors"
    (first,) = system.engines()
    async with calling(system, CLIENTS, NO_WAIT) as callers:
        put(system, "config.json", b"[]")
        page = await until(callers, "they are rejected", rejected)
        assert (page["state"], page["generation"], served_by(1)(page)) == ("loaded", 1, True)

        put(system, "model.safetensors", weights.read_bytes())
        put(system, "config.json", config)
        page = await until(callers, "the new one serves alone", served_by(2))
        assert (page["generation"], page["reason"]) == (2, "")
    (second,) = system.engines()
    assert second.pid != first.pid
    assert (await asyncio.to_thread(system.chat, "tiny"))["model"] == "tiny"
