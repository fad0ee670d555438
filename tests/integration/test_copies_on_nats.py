"""A crowd brings a second engine of a model, its death costs no request, and the calm ends it.

Real NATS, Redis, registry, orchestrator, gateway and agent with stub engines.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelium.common.settings import MIB
from tests.integration.callers import calling, drop_tiny, until
from tests.system import System, running, stub_python

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
        drop_tiny(started)
        yield started


def loaded(count: int) -> Callable[[dict[str, Any]], bool]:
    return lambda page: [e["state"] for e in page["engines"]] == ["loaded"] * count


def all_in_use(page: dict[str, Any]) -> bool:
    return all(e["in_flight"] for e in page["engines"])


async def test_a_crowd_is_served_by_two_engines_and_the_calm_by_one(system: System) -> None:
    async with calling(system, CLIENTS) as crowd:
        page = await until(system, "two engines serve", loaded(2))
        assert page["state"] == "loaded"
        assert len({device for e in page["engines"] for device in e["device_ids"]}) == 2
        await until(system, "both have requests", all_in_use)
    await until(system, "one engine is enough", loaded(1))
    assert (await asyncio.to_thread(system.chat, "tiny"))["model"] == "tiny"

    async with calling(system, CLIENTS) as crowd:
        await until(system, "two engines serve", loaded(2))
        await until(system, "both have requests", all_in_use)
        system.engines()[0].kill()
        page = await until(system, "one engine is left", loaded(1))
        assert page["state"] == "loaded"
        await crowd.answered(3 * CLIENTS)
