"""The phases of a run: the same requests each time, and something else becomes of the brain."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

from benchmarks.brain_killed.heard import Heard, Tick, unanswered
from benchmarks.brain_killed.world import COLD, INTERVAL_S, WARM, World
from benchmarks.swapping.clients import Arrival, Asked, Clients, zipf_arrivals
from modelium.common.clock import Clock

ALIVE: Final = "alive"
HUNG: Final = "hung"
KILLED: Final = "killed"
RULES: Final = "rules only"
PHASES: Final = (ALIVE, HUNG, KILLED, RULES)
"""In this order: one engine serves for the first three. It leads when each begins, and what happens
to it happens with the first request. The last one may as well come before."""
_TICKED_S: Final = 60.0


@dataclass(frozen=True)
class Load:
    """What clients send in each phase."""

    seconds: float = 60.0
    warm_per_s: float = 1.0
    cold_per_s: float = 0.5
    seed: int = 0

    def arrivals(self) -> list[Arrival]:
        """The same each time."""
        warm = zipf_arrivals((WARM,), int(self.warm_per_s * self.seconds), self.seconds, self.seed)
        cold = zipf_arrivals(COLD, int(self.cold_per_s * self.seconds), self.seconds, self.seed + 1)
        return sorted([*warm, *cold], key=lambda arrival: arrival.at_s)


@dataclass(frozen=True)
class Phase:
    """One that has ended."""

    name: str
    asked: Sequence[Asked]
    ticks: Sequence[Tick]
    unanswered: int
    dropped: int
    """By the guard."""
    own_cpu: float
    """CPUs that this system and its clients kept busy, in the mean."""
    other_cpu: float
    """The same of everything else on this machine."""


async def run_phase(
    name: str,
    world: World,
    load: Load,
    heard: Heard,
    serves: Callable[[str], bool],
    clock: Clock,
) -> Phase:
    """From a fresh brain and no cold model loaded, to the end of the last request."""
    await asyncio.to_thread(world.thinker.start if name == ALIVE else world.thinker.resume)
    await world.restart_brain(rules_only=name == RULES)
    await _answered(heard, clock)
    await asyncio.to_thread(world.empty)
    await asyncio.to_thread(_strike(name, world))
    began_s, spent_s = clock.monotonic(), _spent_s(world)
    psutil.cpu_percent()
    clients = Clients(world.system.url, clock, serves, plain=False)
    await clients.run(load.arrivals())
    own, busy = _spent_s(world) - spent_s, psutil.cpu_percent() / 100 * psutil.cpu_count()
    took_s, ended_s = clock.monotonic() - began_s, began_s + load.seconds
    await clock.sleep(max(INTERVAL_S, ended_s + INTERVAL_S - clock.monotonic()))
    ticks = heard.answers()
    return Phase(
        name=name,
        asked=clients.asked,
        ticks=[tick for tick in ticks if began_s <= tick.at_s < ended_s],
        unanswered=len(unanswered(ticks, began_s, ended_s)),
        dropped=heard.dropped(began_s, ended_s),
        own_cpu=own / took_s,
        other_cpu=max(0.0, busy - own / took_s),
    )


def _spent_s(world: World) -> float:
    """CPU time of all processes of the run, of those as well that have ended."""
    total = 0.0
    for process in (psutil.Process(), *world.system.processes()):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


async def _answered(heard: Heard, clock: Clock) -> None:
    """Until a tick from now on has its answer: the brain is there."""
    now_s = clock.monotonic()
    async with asyncio.timeout(_TICKED_S):
        while not any(t.at_s > now_s and t.answered_s is not None for t in heard.answers()):
            await clock.sleep(INTERVAL_S / 20)


def _strike(name: str, world: World) -> Callable[[], None]:
    """What happens to the engine as the phase begins."""
    return {HUNG: world.thinker.hang, KILLED: world.thinker.kill}.get(name, lambda: None)
