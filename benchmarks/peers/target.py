"""What a benchmark needs to know of a proxy: how it is started, and what it is then."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.load.request import MODEL
from benchmarks.processes import Cpus


@dataclass(frozen=True)
class Place:
    """Where a proxy is started: a folder of its own, its CPU, and the engine behind it."""

    folder: Path
    cpus: Cpus
    engine_port: int

    @property
    def engine_url(self) -> str:
        return f"http://127.0.0.1:{self.engine_port}"


@dataclass(frozen=True)
class Target:
    """Something that answers; `roots` are the processes whose cost is counted."""

    port: int
    roots: tuple[psutil.Process, ...] = ()
    beside: tuple[psutil.Process, ...] = ()
    """Servers that it needs; their cost is told apart."""
    headers: dict[str, str] = field(default_factory=dict)
    model: str = MODEL
    note: str = ""


class Missing(Exception):
    """This peer cannot be measured here; the message says why, and is shown in its row."""


Start = Callable[[Place], AbstractContextManager[Target]]
