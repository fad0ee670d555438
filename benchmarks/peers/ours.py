"""Modelium's gateway as it is run: its process, a real NATS and a real Redis, one loaded model."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil

from benchmarks.load.request import MODEL
from benchmarks.peers.target import Place, Target
from benchmarks.processes import on_cpu
from modelium.common.records import ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.testing import a_model_record
from tests.system import SERVERS, System

SETTINGS: Mapping[str, Any] = {}


@contextmanager
def ours(place: Place) -> Iterator[Target]:
    """The gateway with everything on that it has."""
    system = System(place.folder / "ours", engine_python=place.folder / "none", settings=SETTINGS)
    try:
        with on_cpu(place.cpus.load):
            system.start(*SERVERS)
        asyncio.run(save_loaded(system, place.engine_url))
        with on_cpu(place.cpus.proxy):
            system.start("gateway")
        yield Target(
            system.ports["gateway"],
            (psutil.Process(system.children["gateway"].pid),),
            beside=tuple(psutil.Process(system.children[name].pid) for name in SERVERS),
            note="python -m modelium.gateway with NATS and Redis; no keys yet",
        )
    finally:
        system.stop()


async def save_loaded(system: System, endpoint: str, model: str = MODEL) -> None:
    """Save the record of a loaded model, as the registry would."""
    store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
    record = a_model_record(
        model=model, state=ModelState.LOADED, endpoint=endpoint, generation=1, load_s=2.0
    )
    await store.models.save(record)
    await store.close()
