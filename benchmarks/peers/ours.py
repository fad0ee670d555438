"""Modelium's gateway as it is run: its process, a real NATS and a real Redis, one loaded model."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import psutil

from benchmarks.load.request import MODEL
from benchmarks.peers.target import Place, Target
from benchmarks.processes import on_cpu
from modelium.common.api_keys import Scope, mint
from modelium.common.records import ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.testing import a_model_record
from tests.system import SERVERS, System

PEPPER: Final = "a pepper for benchmarks only"
QUOTA: Final = {
    "requests_per_minute": 1_000_000_000,
    "tokens_per_minute": 1_000_000_000_000,
    "concurrent_requests": 1_000_000,
}
"""Of the key, and again of its organisation: all are counted, and none is reached."""
IN_FLIGHT: Final = 20_000
"""At the engine; the default would let the other streams of `make bench-streams` wait."""


@contextmanager
def ours(place: Place) -> Iterator[Target]:
    """The gateway with everything on: keys, limits, usage, metrics."""
    access = {"authentication": "keys", "key_pepper": PEPPER, "limits": QUOTA}
    with _running(place, access) as system:
        key = asyncio.run(save_key(system))
        with _gateway(system, place, "keys, limits, usage and metrics on") as target:
            target.headers["authorization"] = f"Bearer {key}"
            yield target


@contextmanager
def ours_open(place: Place) -> Iterator[Target]:
    """The gateway as it is on loopback without settings: no keys, no limits."""
    with _running(place, {}) as system, _gateway(system, place, "no keys, no limits") as target:
        yield target


@contextmanager
def _running(place: Place, gateway: dict[str, Any]) -> Iterator[System]:
    """NATS and Redis, with the record of a loaded model."""
    settings = {"gateway": {"max_in_flight_per_instance": IN_FLIGHT, **gateway}}
    system = System(place.folder / "ours", engine_python=place.folder / "none", settings=settings)
    try:
        with on_cpu(place.cpus.load):
            system.start(*SERVERS)
        asyncio.run(save_loaded(system, place.engine_url))
        yield system
    finally:
        system.stop()


@contextmanager
def _gateway(system: System, place: Place, note: str) -> Iterator[Target]:
    with on_cpu(place.cpus.proxy):
        system.start("gateway")
    yield Target(
        system.ports["gateway"],
        (psutil.Process(system.children["gateway"].pid),),
        beside=tuple(psutil.Process(system.children[name].pid) for name in SERVERS),
        note=f"python -m modelium.gateway with NATS and Redis; {note}",
    )


async def save_loaded(system: System, endpoint: str, model: str = MODEL) -> None:
    """Save the record of a loaded model, as the registry would."""
    store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
    record = a_model_record(
        model=model, state=ModelState.LOADED, endpoint=endpoint, generation=1, load_s=2.0
    )
    await store.models.save(record)
    await store.close()


async def save_key(system: System) -> str:
    """A new key of an organisation, both with limits."""
    store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
    scopes = (Scope.INFERENCE,)
    now = datetime.now(UTC)
    minted = mint(PEPPER.encode(), now=now, organization="bench", scopes=scopes, **QUOTA)
    await store.api_keys.save(minted.record)
    await store.close()
    return minted.text
