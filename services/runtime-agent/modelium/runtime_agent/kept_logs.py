"""Logs of engines as files of one folder, those of ended engines too; all of it blocking."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from modelium.common.engine_log import EngineLog, bounded

TAIL_BYTES = 256 * 1024
KEPT_LOGS = 20


class KeptLogs:
    """A file per engine; the oldest beyond `KEPT_LOGS` are removed when another begins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, instance: str, *, is_needed: Callable[[str], bool]) -> BinaryIO:
        """A new, empty log; those of engines that are still needed are spared. Raises OSError."""
        path = self._path(instance)
        path.parent.mkdir(parents=True, exist_ok=True)
        logs = sorted(path.parent.glob("*.log"), key=_written_ns)
        for old in logs[: max(0, len(logs) - KEPT_LOGS + 1)]:
            if not is_needed(old.stem):
                old.unlink(missing_ok=True)
        return path.open("wb")

    def keep(self, instance: str, lines: Iterable[str]) -> None:
        """Write down what an engine has said that nobody else keeps. Raises OSError."""
        with self.begin(instance, is_needed=lambda _: False) as log:
            log.write("".join(f"{line}\n" for line in lines).encode()[-TAIL_BYTES:])

    def size_bytes(self, instance: str) -> int:
        """0: there is none."""
        path = self._path(instance)
        return path.stat().st_size if path.exists() else 0

    def tail(self, instance: str, lines: int) -> tuple[str, ...]:
        """The last lines; none where there is no log."""
        content, _ = self._read(instance, 0) or (b"", 0)
        return _lines(content)[-lines:]

    def part(self, instance: str, after: str, lines: int) -> EngineLog | None:
        """The last lines, or those that were written behind the place `after`; None: no log."""
        read = self._read(instance, int(after) if after.isdecimal() else 0)
        if read is None:
            return None
        content, end = read
        if after:
            # A line that is being written is told when it is whole.
            whole = content[: content.rfind(b"\n") + 1]
            end -= len(content) - len(whole)
            content = whole
        return EngineLog(known=True, lines=bounded(_lines(content), lines), mark=str(end))

    def _read(self, instance: str, begin: int) -> tuple[bytes, int] | None:
        """What is there from `begin` on, of the end at most, and where that ends."""
        try:
            with self._path(instance).open("rb") as log:
                size = log.seek(0, 2)
                log.seek(max(min(begin, size), size - TAIL_BYTES))
                return log.read(TAIL_BYTES), log.tell()
        except FileNotFoundError:
            return None

    def _path(self, instance: str) -> Path:
        return self._folder / f"{instance}.log"


def since(stamped: Iterable[str], after: str, lines: int) -> EngineLog:
    """Of lines that begin with the time when they were written, those that came after a time."""
    parted = [line.partition(" ") for line in stamped]
    newer = [(stamp, text) for stamp, _, text in parted if stamp > after]
    mark = newer[-1][0] if newer else after
    return EngineLog(known=True, lines=bounded([text for _, text in newer], lines), mark=mark)


def _lines(content: bytes) -> tuple[str, ...]:
    return tuple(content.decode(errors="replace").splitlines())


def _written_ns(log: Path) -> int:
    """When; engines start at the same time, so another may just have removed it."""
    try:
        return log.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
