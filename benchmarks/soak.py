"""Mixed load on a whole system for a long time: nothing may grow. Run by `make soak`.

Real services; the engines are stubs that really start, stop and take turns in memory. Clients have
keys with limits. Before the load and after it the gateway is looked at while idle: descriptors,
tasks, requests in flight, waiting requests must be as before, and as many requests as before may
run at a time. Memory is sampled all the time; its growth per hour is printed, and too much of it
fails the run, if the run was long enough to tell a leak from noise.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Final

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.soak_keys import SETTINGS, Keys, make_keys
from benchmarks.soak_load import DIES_AFTER, DYING, FAILING, MODELS, Tally, Visitors
from modelium.cli.sample import write_sample_model
from modelium.common.clock import Clock, SystemClock
from modelium.common.settings import MIB
from tests.system import System, running, stub_python, wait_until

ENGINE_SETTINGS = {"vllm": {"overhead_bytes": 300 * MIB, "kv_cache_bytes": 100 * MIB}}
ENGINE_BYTES = 650 * MIB
"""Of the slot, per engine."""
ENGINES = 2
"""That there is room for: the hot one, and one of all the others."""
IDLE_S = 60.0
"""In this time all must have come back to what it was."""
SAMPLE_S = 2.0
GROWTH_LIMIT_BYTES_PER_HOUR = 20_000_000
SURE_AFTER_S = 600.0
"""Shorter runs show how memory is taken into use, not whether it leaks."""


POOLED: Final = 4
"""Connections that a pool (Redis's above all) keeps because they were once needed together."""


@dataclass(frozen=True)
class Look:
    """What the gateway holds at a moment."""

    at_s: float
    rss_bytes: int
    descriptors: int
    tasks: int
    in_flight: int
    waiting: int

    def counts(self) -> dict[str, int]:
        """What has to be the same before and after."""
        return {
            "descriptors": self.descriptors,
            "tasks": self.tasks,
            "in flight": self.in_flight,
            "waiting": self.waiting,
        }


@dataclass
class Outcome:
    """A soak that has ended."""

    tally: Tally
    before: Look
    after: Look
    samples: list[Look]
    loads: dict[str, int]
    """Load attempts by model, first ones included."""

    def growth_bytes_per_hour(self) -> float:
        """Of resident memory, over the later two thirds of the load."""
        late = self.samples[len(self.samples) // 3 :]
        if len(late) < 3:
            return 0.0
        fitted = linear_regression([s.at_s for s in late], [s.rss_bytes for s in late])
        return fitted.slope * 3600

    def took_s(self) -> float:
        """Of the load."""
        return self.samples[-1].at_s - self.samples[0].at_s

    def problems(self) -> list[str]:
        """Empty if all is well."""
        found = [
            f"{name}: {self.before.counts()[name]} before, {now} after"
            for name, now in self.after.counts().items()
            if now > self.before.counts()[name] + (POOLED if name == "descriptors" else 0)
        ]
        found += [f"unexpected answer: {what}" for what in self.tally.unexpected[:10]]
        growth = self.growth_bytes_per_hour()
        if self.took_s() >= SURE_AFTER_S and growth > GROWTH_LIMIT_BYTES_PER_HOUR:
            found.append(f"memory grows by {growth / 1e6:.1f} MB an hour")
        return found


class Watcher:
    """Looks at the gateway from outside."""

    def __init__(self, system: System, http: aiohttp.ClientSession, clock: Clock) -> None:
        self._gateway = psutil.Process(system.children["gateway"].pid)
        self._url = f"{system.url}/metrics"
        self._http = http
        self._clock = clock
        self.samples: list[Look] = []

    async def look(self) -> Look:
        """At this moment."""
        # On a connection of its own each time, so that one that is kept is not counted.
        async with self._http.get(self._url, headers={"connection": "close"}) as answer:
            totals = _totals(await answer.text())
        return Look(
            at_s=self._clock.monotonic(),
            rss_bytes=self._gateway.memory_info().rss,
            descriptors=self._gateway.num_fds(),
            tasks=totals["modelium_tasks"],
            in_flight=totals["modelium_gateway_inflight_requests"],
            waiting=totals["modelium_gateway_queue_depth"],
        )

    async def sample(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.samples.append(await self.look())
            await self._clock.sleep(SAMPLE_S)

    async def settled(self, like: Look | None) -> Look:
        """The gateway when it is idle: no more than `like`, or as it is when the time is over."""
        until_s = self._clock.monotonic() + IDLE_S
        while True:
            now = await self.look()
            quiet = now.in_flight == 0 and now.waiting == 0
            if like is not None:
                quiet = all(value <= like.counts()[n] for n, value in now.counts().items())
            if quiet or self._clock.monotonic() > until_s:
                return now
            await self._clock.sleep(1.0)


def _totals(text: str) -> dict[str, int]:
    """The sum over all labels of each gauge."""
    return {
        family.name: round(sum(sample.value for sample in family.samples))
        for family in text_string_to_metric_families(text)
        if family.type == "gauge"
    }


def engine(folder: Path) -> Path:
    """The stub engine, with the bad habits of the models that are named for them."""
    stub = stub_python(folder, "--resident-mib", "400", "--chunk-delay", "0.01")
    path = folder / "engine"
    path.write_text(
        "#!/bin/sh\n"
        f'case "$*" in\n*{FAILING}*) set -- --fail-requests "$@" ;;\n'
        f'*{DYING}*) set -- --die-after-chunks {DIES_AFTER} "$@" ;;\nesac\n'
        f'exec {stub} "$@"\n'
    )
    path.chmod(0o755)
    return path


def drop_models(system: System) -> None:
    """Put the models into the folder, and wait until they are known."""
    for name in MODELS:
        write_sample_model(system.folder / "made" / name)
        shutil.copytree(system.folder / "made" / name, system.models / name)
    for name in MODELS:
        system.wait_for_state(name, "unloaded")


async def soak(system: System, keys: Keys, minutes: float) -> Outcome:
    """The load for so long, and what the gateway was like before and after."""
    clock = SystemClock()
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout) as watching:
        watcher = Watcher(system, watching, clock)
        async with aiohttp.ClientSession(timeout=timeout, headers=keys.wide) as first:
            warming = Visitors(system.url, first, keys)
            await warming.every_kind_once()
            await warming.fill_the_slots()
        await clock.sleep(5.0)  # until connections to engines that are idle are closed
        before = await watcher.settled(None)
        async with aiohttp.ClientSession(timeout=timeout, headers=keys.wide) as http:
            visitors = Visitors(system.url, http, keys)
            await _load(visitors, watcher, clock, minutes)
            await watcher.settled(None)
            await visitors.fill_the_slots()
        after = await watcher.settled(before)
    loads = {name: (system.model(name) or {})["generation"] for name in MODELS}
    return Outcome(visitors.tally, before, after, watcher.samples, loads)


async def _load(visitors: Visitors, watcher: Watcher, clock: Clock, minutes: float) -> None:
    async with asyncio.TaskGroup() as group:
        sampling = group.create_task(watcher.sample())
        load = group.create_task(visitors.run())
        await clock.sleep(minutes * 60)
        visitors.over.set()
        await load
        sampling.cancel()


def run(folder: Path, minutes: float) -> Outcome:
    """A whole system below `folder`, soaked."""
    with running(
        folder / "system",
        engine_python=engine(folder),
        slot_bytes=ENGINES * ENGINE_BYTES,
        settings=ENGINE_SETTINGS | SETTINGS,
    ) as system:
        wait_until("the gateway answers", lambda: system.is_ready("gateway"))
        drop_models(system)
        return asyncio.run(soak(system, make_keys(system), minutes))


def show(outcome: Outcome) -> None:
    """Print it as Markdown."""
    print("| visits that went as they should | |\n|---|---|")
    for kind, times in sorted(outcome.tally.went_well.items()):
        print(f"| {kind} | {times:,} |")
    print("\n| engines started | |\n|---|---|")
    for name, times in outcome.loads.items():
        print(f"| {name} | {times} |")
    print("\n| the gateway | before | after |\n|---|---|---|")
    after = outcome.after.counts()
    for name, value in outcome.before.counts().items():
        print(f"| {name} | {value} | {after[name]} |")
    both = (outcome.before.rss_bytes / 1e6, outcome.after.rss_bytes / 1e6)
    print(f"| memory, MB (RSS) | {both[0]:.1f} | {both[1]:.1f} |")
    print(
        f"\nGrowth of memory over the later two thirds of {outcome.took_s() / 60:.1f} min: "
        f"{outcome.growth_bytes_per_hour() / 1e6:.1f} MB an hour."
    )
    for problem in outcome.problems():
        print(f"PROBLEM: {problem}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelium-soak-") as name:
        outcome = run(Path(name), options.minutes)
    show(outcome)
    return 1 if outcome.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
