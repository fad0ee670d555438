"""What the control plane costs: discovery and event latency, memory. Run by `make bench`.

Real NATS, Redis and services; the engine is the stub, since none of these figures is about engines.
Prints each figure beside its limit and ends with 1 when one is over it.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nats
import psutil

from modelium.cli.sample import write_sample_model
from modelium.common import events as ev
from modelium.common.settings import GIB
from tests.system import SERVERS, SERVICES, System, running, stub_python, wait_until

MB = 1_000_000
SETTLE_S = 0.5
"""`model_discovery.settle_seconds` of the run: the time a folder must be quiet, taken off."""


@dataclass
class Listener:
    """Notes when each subject was heard, and lets one wait for a message."""

    heard: list[tuple[float, str, dict[str, object]]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self, message: nats.aio.msg.Msg) -> None:
        try:
            payload = json.loads(message.data)
        except ValueError:
            return
        if isinstance(payload, dict):
            async with self.changed:
                self.heard.append((time.monotonic(), message.subject, payload))
                self.changed.notify_all()

    async def time_of(
        self, wanted: Callable[[str, dict[str, object]], bool], timeout_s: float = 30.0
    ) -> float:
        """When the first message for which `wanted` holds was heard; waits for it."""

        def found() -> float | None:
            return next((at for at, subject, said in self.heard if wanted(subject, said)), None)

        async with asyncio.timeout(timeout_s), self.changed:
            await self.changed.wait_for(lambda: found() is not None)
        return found() or 0.0


async def discovery_s(system: System, listener: Listener, rounds: int) -> list[float]:
    """From the last file of a copy being closed to `model.discovered`, less the settle time."""
    times = []
    for number in range(rounds):
        name = f"found-{number}"
        await asyncio.to_thread(
            shutil.copytree, system.folder / "made" / "tiny", system.models / name
        )
        copied = time.monotonic()
        heard = await listener.time_of(
            lambda subject, said, name=name: (
                subject == "model.discovered" and said.get("model") == name
            )
        )
        times.append(heard - copied - SETTLE_S)
    return times


async def hop_s(client: nats.NATS, listener: Listener, rounds: int) -> list[float]:
    """From publishing a fact to hearing the registry's `model.state_changed` about it."""
    times = []
    for number in range(rounds):
        event = ev.ModelDiscovered(
            path=f"/nowhere/hop-{number}", model=f"hop-{number}", fingerprint="bench"
        )
        sent = time.monotonic()
        await client.publish(event.subject, event.model_dump_json().encode())
        heard = await listener.time_of(
            lambda subject, said, name=event.model: (
                subject == "model.state_changed" and said.get("model") == name
            )
        )
        times.append(heard - sent)
    return times


async def command_s(system: System, listener: Listener) -> float:
    """From the first request for a cold model to the command that starts its engine."""
    asked = time.monotonic()
    request = asyncio.create_task(asyncio.to_thread(system.chat, "found-0"))
    heard = await listener.time_of(lambda subject, said: subject.endswith(".load"))
    await request
    return heard - asked


def memory_bytes(system: System, names: tuple[str, ...], measure: str) -> dict[str, int]:
    """Memory of each process: `rss`, or `pss`, which counts pages that processes share once."""
    return {
        name: int(getattr(psutil.Process(system.children[name].pid).memory_full_info(), measure))
        for name in names
    }


def line(what: str, value: float, limit: float, unit: str) -> bool:
    """Print one figure beside its limit; whether it is within."""
    verdict = "ok" if value <= limit else "OVER"
    print(f"{what:<58}{value:>9.1f} {unit:<3} limit {limit:>7.1f}  {verdict}")
    return value <= limit


async def measure(system: System, rounds: int) -> bool:
    """All figures of a running system; whether each is within its limit."""
    listener = Listener()
    client = await nats.connect(f"nats://127.0.0.1:{system.ports['nats']}")
    await client.subscribe(">", cb=listener.note)
    await client.flush()
    found = await discovery_s(system, listener, 5)
    hops = await hop_s(client, listener, rounds)
    command = await command_s(system, listener)
    await client.close()
    resident = memory_bytes(system, SERVICES, "rss")
    own = memory_bytes(system, (*SERVICES, *SERVERS), "pss")
    good = [
        line("discovery: files settled -> model.discovered, median", _ms(found), 1000, "ms"),
        line("discovery: worst of 5", max(found) * 1000, 1000, "ms"),
        line("event -> Redis -> model.state_changed, median", _ms(hops), 50, "ms"),
        line("event -> Redis -> model.state_changed, p99", _p99(hops) * 1000, 250, "ms"),
        line("first request for a cold model -> load command", command * 1000, 50, "ms"),
        line("resident memory of the six services", sum(resident.values()) / MB, 500, "MB"),
        line("the same with NATS and Redis, shared pages once", sum(own.values()) / MB, 500, "MB"),
    ]
    print("\n" + "  ".join(f"{name} {size / MB:.0f}" for name, size in resident.items()) + "  (MB)")
    return all(good)


def _ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99) - 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="events to time")
    args = parser.parse_args()
    settings = {
        "vllm": {"overhead_bytes": GIB},
        "orchestration": {"model_discovery": {"settle_seconds": SETTLE_S}},
    }
    with tempfile.TemporaryDirectory(prefix="modelium-bench-") as name:
        folder = Path(name)
        engine = stub_python(folder)
        with running(folder, engine_python=engine, slot_bytes=2 * GIB, settings=settings) as system:
            write_sample_model(folder / "made" / "tiny")
            wait_until("the gateway answers", lambda: system.is_ready("gateway"))
            good = asyncio.run(measure(system, args.rounds))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
