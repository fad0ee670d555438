"""What the engines of each device really hold, measured from outside and over and over.

The memory of all processes that carry an engine's marker, with pages that processes share divided
among them (PSS), as the kernel adds it up; and the resident memory, where they count for each.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from modelium.common.clock import Clock
from modelium.runtime_agent.process_tree import MARKER
from tests.system import System


@dataclass
class HeldMemory:
    """The most that was seen on each device, in bytes."""

    system: System
    places: Mapping[str, tuple[str, ...]]
    """Engine to its devices."""
    most_pss: Counter[str] = field(default_factory=Counter)
    most_rss: Counter[str] = field(default_factory=Counter)
    samples: int = 0

    async def watch(self, clock: Clock, every_s: float) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.look()
            await clock.sleep(every_s)

    def look(self) -> None:
        """Once."""
        pss, rss = Counter[str](), Counter[str]()
        for instance, its_pss, its_rss in _measured(self.system.processes()):
            for device in self.places.get(instance, ()):
                pss[device] += its_pss
                rss[device] += its_rss
        self.most_pss |= pss
        self.most_rss |= rss
        self.samples += 1

    def over_budget(self, budgets: Mapping[str, int]) -> list[str]:
        """A sentence for each device of which more was held than there is."""
        return [
            f"{device}: {most:,} bytes were held of {budgets[device]:,}"
            for device, most in sorted(self.most_pss.items())
            if most > budgets[device]
        ]


def _measured(processes: Iterable[psutil.Process]) -> Iterable[tuple[str, int, int]]:
    """Engine, PSS and RSS of each process of one."""
    for process in processes:
        with suppress(psutil.Error, OSError):
            marker = process.environ().get(MARKER)
            if marker is not None:
                yield marker.partition("@")[0], *_rolled_up(process.pid)


def _rolled_up(pid: int) -> tuple[int, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {line.partition(":")[0]: line for line in lines}
    pss, rss = (int(sizes[name].split()[1]) * 1024 for name in ("Pss", "Rss"))
    return pss, rss
