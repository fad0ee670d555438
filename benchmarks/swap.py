"""Four tiny models that take turns in memory for two, on real vLLM engines; by `make bench-swap`.

Requests come at random times over some minutes, most of them for the first of the models. Prints
what became of them, how often engines were loaded, what the ledger promised at most and what the
engines' processes were measured to hold; ends with 1 if one was lost or if it was ever too much.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.swapping.bounds import Bounds, published_bounds_s, too_late
from benchmarks.swapping.clients import Asked, Clients, zipf_arrivals
from benchmarks.swapping.engines import Engines, listening
from benchmarks.swapping.figures import engines_table, ledger_table, lost, requests_table
from benchmarks.swapping.memory import HeldMemory
from modelium.cli.sample import write_sample_model
from modelium.common.clock import SystemClock
from modelium.common.settings import MIB
from modelium.common.settings_gateway import Gateway
from tests.faults.run import vllm_python
from tests.system import System, running

MODELS: Final = ("first", "second", "third", "fourth")
SLOT_BYTES: Final = 4608 * MIB
"""Two engines fit: a tiny one holds 1.7 GiB, and 2.0 where it shares no pages with another."""
SETTINGS: Final[dict[str, Any]] = {
    "vllm": {"overhead_bytes": 1600 * MIB},
    "orchestration": {"policies": {"min_residency_seconds": 5.0}},
}
"""The defaults, but for what an engine is expected to hold: two fit before one was measured."""
SAMPLE_S: Final = 1.0


@dataclass
class Outcome:
    """A run that has ended."""

    asked: list[Asked]
    engines: Engines
    memory: HeldMemory
    published: Bounds

    def problems(self) -> list[str]:
        """Empty if every promise was kept."""
        late = too_late(self.asked, self.published, Gateway())
        over = self.engines.over_budget() + self.memory.over_budget(self.engines.budgets)
        return lost(self.asked) + late + over


def drop_models(system: System) -> None:
    """Put them into the folder, and wait until they are known."""
    for seed, name in enumerate(MODELS):
        write_sample_model(system.models / name, seed=seed)
    for name in MODELS:
        system.wait_for_state(name, "unloaded")


async def swap(system: System, requests: int, minutes: float, seed: int) -> Outcome:
    """The load, and a look at the engines' memory all the time."""
    clock = SystemClock()
    arrivals = zipf_arrivals(MODELS, requests, minutes * 60, seed)
    async with listening(f"nats://127.0.0.1:{system.ports['nats']}") as engines:
        clients = Clients(system.url, clock, engines.serves)
        memory = HeldMemory(system, engines.places)
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(memory.watch(clock, SAMPLE_S))
            await clients.run(arrivals)
            looking.cancel()
        published = await asyncio.to_thread(published_bounds_s, system)
        return Outcome(clients.asked, engines, memory, published)


def run(folder: Path, python: Path, *, requests: int, minutes: float, seed: int = 0) -> Outcome:
    """A whole system below `folder`, whose engines `python` runs, under the load."""
    with running(
        folder / "system", engine_python=python, slot_bytes=SLOT_BYTES, settings=SETTINGS
    ) as system:
        drop_models(system)
        return asyncio.run(swap(system, requests, minutes, seed))


def show(outcome: Outcome) -> None:
    """Print it as Markdown."""
    print(requests_table(outcome.asked), end="\n\n")
    print(engines_table(outcome.engines), end="\n\n")
    print(ledger_table(outcome.engines, outcome.memory.most_pss), end="\n\n")
    for failure in outcome.engines.failures:
        print(f"- {failure}")
    for problem in outcome.problems():
        print(f"PROBLEM: {problem}")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=120)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main() -> int:
    options = _options(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="modelium-swap-") as name:
        outcome = run(Path(name), vllm_python(), **vars(options))
    show(outcome)
    return 1 if outcome.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
