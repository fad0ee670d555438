"""A hundred models on eight slots under a steady crowd, while an agent dies and an engine hangs.

Real services, two agents, stub engines; run by `make bench-crowd`. Clients send as many requests a
second as they were told, whether or not they are answered, and try again as official clients do.
Prints what became of them and ends with 1 if one was lost or a wait was longer than its bound.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.swapping.bounds import Bounds, published_bounds_s, too_late
from benchmarks.swapping.clients import Asked, Clients, zipf_arrivals
from benchmarks.swapping.engines import Engines, listening
from benchmarks.swapping.figures import engines_table, ledger_table, lost, requests_table
from benchmarks.swapping.fleet import SECOND, Fleet, is_of_second
from benchmarks.swapping.models import write_weighing
from modelium.cli.sample import write_sample_model
from modelium.common.clock import Clock, SystemClock
from modelium.common.open_files import raise_limit
from modelium.common.settings import MIB
from modelium.common.settings_gateway import Gateway
from tests.system import stub_python, wait_until

AGENTS: Final = 2
SHARE: Final = 1 / 3
"""Of all models there is memory for."""
WEIGHTS_MIB: Final = (32, 48, 64, 96, 128)
OVERHEAD_MIB: Final = 16
CACHE_MIB: Final = 4
KILLED_AT, HANGS_AT, BACK_AT = 20 / 60, 25 / 60, 30 / 60
"""When the agent is killed, an engine hangs, the agent is started again; of the load's duration."""
PATIENCE: Final[dict[str, Any]] = {
    "silence_timeout_seconds": 5,
    "stall_timeout_seconds": 10,
    "shutdown_timeout_seconds": 5,
}
"""How long an engine may get on with nothing, may take to answer the test request that it is then
sent, and may take to end its requests: 60, 120 and 20 by default, for answers that take minutes."""
DRAIN_S: Final = 15.0
"""The same for requests in flight at an engine that shall go; 120 by default."""
QUEUE: Final = 10_000
"""Requests that may wait for one model; the default, 1000, is soon reached by the most popular."""
KNOWN_S: Final = 120.0
SHOWN_PROBLEMS: Final = 20


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    models: int = 100
    slots: int = 8
    rate_per_s: float = 200.0
    seconds: float = 60.0
    seed: int = 0

    def names(self) -> list[str]:
        """The most popular first."""
        return [f"model-{number:03}" for number in range(self.models)]

    def weights_mib(self) -> list[int]:
        """Of each model."""
        return Random(f"sizes:{self.seed}").choices(WEIGHTS_MIB, k=self.models)

    def slot_bytes(self) -> int:
        """Of each slot; the largest model fits in any case."""
        needs_mib = [weight + OVERHEAD_MIB + CACHE_MIB for weight in self.weights_mib()]
        return max(int(sum(needs_mib) * SHARE / self.slots), max(needs_mib) + 1) * MIB

    def settings(self) -> dict[str, Any]:
        """Of both agents and of everything else."""
        sizes = {"overhead_bytes": OVERHEAD_MIB * MIB, "kv_cache_bytes": CACHE_MIB * MIB}
        policies = {"min_residency_seconds": 5.0, "drain_deadline_seconds": DRAIN_S}
        discovery = {"doubtful_after_seconds": 0}  # the weights are holes, and stay so
        return {
            "vllm": sizes | PATIENCE,
            "runtime_agent": {"cpu_slots": self.slots // AGENTS},
            "gateway": {"max_queue_per_model": QUEUE},
            "orchestration": {"policies": policies, "model_discovery": discovery},
        }


@dataclass
class Outcome:
    """A run that has ended."""

    asked: list[Asked]
    engines: Engines
    published: Bounds
    happened: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Empty if every promise was kept."""
        late = too_late(self.asked, self.published, Gateway())
        return lost(self.asked) + late + self.engines.over_budget()


@dataclass
class Faults:
    """What goes wrong in the middle, and a note of each."""

    fleet: Fleet
    engines: Engines
    clock: Clock
    happened: list[str] = field(default_factory=list)

    async def run(self, size: Size) -> None:
        """Each at its time."""
        start_s = self.clock.monotonic()
        for share, fault in (
            (KILLED_AT, self._kill_agent),
            (HANGS_AT, self._hang_engine),
            (BACK_AT, self._restart_agent),
        ):
            await self.clock.sleep(start_s + share * size.seconds - self.clock.monotonic())
            what = await asyncio.to_thread(fault, size)
            self.happened.append(f"{self.clock.monotonic() - start_s:.1f} s: {what}")

    def _kill_agent(self, size: Size) -> str:
        self.fleet.kill(SECOND)
        return f"{SECOND} was killed"

    def _restart_agent(self, size: Size) -> str:
        self.fleet.start_second()
        return f"{SECOND} was started again"

    def _hang_engine(self, size: Size) -> str:
        """The most popular one that serves on the agent that lives, as soon as one does."""
        hung: list[str] = []

        def one_hangs() -> bool:
            hung.append(self._hang_one(size))
            return hung[-1] != ""

        wait_until("an engine serves that could hang", one_hangs)
        return f"{hung[-1]} hangs"

    def _hang_one(self, size: Size) -> str:
        """Its instance; empty: none serves."""
        for model in size.names():
            instance = self.engines.serving.get(model, "")
            on_second = any(map(is_of_second, self.engines.places.get(instance, ())))
            if instance and not on_second and self.fleet.hang(instance):
                return instance
        return ""


def drop_models(fleet: Fleet, size: Size) -> None:
    """Put them all into the folder, and wait until they are known."""
    sample = write_sample_model(fleet.folder / "sample")
    for name, weight_mib in zip(size.names(), size.weights_mib(), strict=True):
        write_weighing(sample, fleet.models / name, weight_mib * MIB)

    def all_known() -> bool:
        listed = [entry["modelium"]["state"] for entry in fleet.get("/v1/models")["data"]]
        return listed.count("unloaded") == size.models

    wait_until("all models are known", all_known, KNOWN_S)


async def load(fleet: Fleet, size: Size) -> Outcome:
    """The crowd, and the faults in its middle."""
    clock = SystemClock()
    arrivals = zipf_arrivals(
        size.names(), int(size.rate_per_s * size.seconds), size.seconds, size.seed
    )
    async with listening(f"nats://127.0.0.1:{fleet.ports['nats']}") as engines:
        clients = Clients(fleet.url, clock, engines.serves)
        faults = Faults(fleet, engines, clock)
        async with asyncio.TaskGroup() as group:
            group.create_task(clients.run(arrivals))
            group.create_task(faults.run(size))
        published = await asyncio.to_thread(published_bounds_s, fleet)
        return Outcome(clients.asked, engines, published, faults.happened)


def run(folder: Path, size: Size) -> Outcome:
    """A whole system below `folder`, and the crowd."""
    fleet = Fleet(
        folder / "system",
        engine_python=stub_python(folder),
        slot_bytes=size.slot_bytes(),
        settings=size.settings(),
    )
    try:
        fleet.start()
        fleet.start_second()
        drop_models(fleet, size)
        return asyncio.run(load(fleet, size))
    finally:
        fleet.stop()


def show(outcome: Outcome) -> None:
    """Print it as Markdown."""
    print(requests_table(outcome.asked), end="\n\n")
    print(engines_table(outcome.engines), end="\n\n")
    print(ledger_table(outcome.engines), end="\n\n")
    for what in (*outcome.happened, *outcome.engines.failures):
        print(f"- {what}")
    problems = outcome.problems()
    for problem in problems[:SHOWN_PROBLEMS]:
        print(f"PROBLEM: {problem}")
    if len(problems) > SHOWN_PROBLEMS:
        print(f"PROBLEM: and {len(problems) - SHOWN_PROBLEMS} more")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=Size.models)
    parser.add_argument("--slots", type=int, default=Size.slots, help="of both agents together")
    parser.add_argument("--rate-per-s", type=float, default=Size.rate_per_s)
    parser.add_argument("--seconds", type=float, default=Size.seconds)
    parser.add_argument("--seed", type=int, default=Size.seed)
    return parser.parse_args(arguments)


def main() -> int:
    size = Size(**vars(_options(sys.argv[1:])))
    raise_limit()
    with tempfile.TemporaryDirectory(prefix="modelium-crowd-") as name:
        outcome = run(Path(name), size)
    show(outcome)
    return 1 if outcome.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
