"""Requests while the brain's language model answers, hangs, is dead, and is not there at all.

Real services, real vLLM engines for the brain and for the model that serves all the time, stub
engines for those that are loaded on demand; run by `make bench-brain`. The same requests come in
each phase. Prints what they got and who decided how soon, and ends with 1 if a request was lost or
a tick had no decision within the decision interval.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from benchmarks.brain_killed.figures import (
    decisions_table,
    problems,
    ratios_table,
    requests_table,
)
from benchmarks.brain_killed.heard import listening
from benchmarks.brain_killed.phases import PHASES, Load, Phase, run_phase
from benchmarks.brain_killed.world import DEADLINE_S, INTERVAL_S, World
from benchmarks.swapping import engines
from modelium.common.clock import SystemClock
from tests.faults.run import vllm_python

SHOWN_PROBLEMS: Final = 20


async def rounds(world: World, load: Load, count: int) -> list[Phase]:
    """So many times all phases, in every second round with the last one first."""
    clock, url = SystemClock(), f"nats://127.0.0.1:{world.system.ports['nats']}"
    ended = []
    async with listening(url, clock) as heard, engines.listening(url) as served:
        await asyncio.to_thread(world.start)
        for number in range(count):
            for name in PHASES if number % 2 == 0 else (PHASES[-1], *PHASES[:-1]):
                ended.append(await run_phase(name, world, load, heard, served.serves, clock))
    return ended


def run(folder: Path, python: Path, load: Load, count: int) -> list[Phase]:
    """A whole system below `folder`, whose real engines `python` runs, through all phases."""
    world = World(folder, python)
    try:
        world.start_servers()
        return asyncio.run(rounds(world, load, count))
    finally:
        world.thinker.kill()
        world.system.stop()


def show(phases: Sequence[Phase]) -> None:
    """Print it as Markdown."""
    print(requests_table(phases), end="\n\n")
    print(decisions_table(phases), end="\n\n")
    print(ratios_table(phases), end="\n\n")
    print(f"A tick every {INTERVAL_S:g} s, the language model's deadline is {DEADLINE_S:g} s.")
    found = problems(phases)
    for problem in found[:SHOWN_PROBLEMS]:
        print(f"PROBLEM: {problem}")
    if len(found) > SHOWN_PROBLEMS:
        print(f"PROBLEM: and {len(found) - SHOWN_PROBLEMS} more")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of all phases")
    for option in fields(Load):
        name = f"--{option.name.replace('_', '-')}"
        parser.add_argument(name, type=type(option.default), default=option.default)
    return parser.parse_args(arguments)


def main() -> int:
    options = vars(_options(sys.argv[1:]))
    count = options.pop("rounds")
    with tempfile.TemporaryDirectory(prefix="modelium-brain-") as name:
        phases = run(Path(name), vllm_python(), Load(**options), count)
    show(phases)
    return 1 if problems(phases) else 0


if __name__ == "__main__":
    sys.exit(main())
