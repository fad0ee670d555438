"""Shows log files of the local system: of its processes, and of a model's engine."""

from pathlib import Path
from typing import BinaryIO

from modelium.cli.console import out
from modelium.cli.layout import Layout
from modelium.cli.programs import SERVICES
from modelium.cli.supervise import log_tail
from modelium.cli.waiting import Stopped, pause, stopped_by_signals
from modelium.common.errors import DependencyUnavailable
from modelium.common.load_settings import Settings

PROCESSES = (*SERVICES, "nats", "redis", "supervisord")
FOLLOW_S = 0.3


def show_logs(
    settings: Settings, layout: Layout, what: str | None, *, lines: int, follow: bool
) -> None:
    """The last lines of what is asked for, and what follows if wanted."""
    files = log_files(settings, layout, what)
    for file in files:
        for line in log_tail(file, lines):
            out(_labelled(line, file, len(files)))
    if follow:
        _follow(files)


def log_files(settings: Settings, layout: Layout, what: str | None) -> list[Path]:
    """The files; raises when there are none."""
    if what is None:
        found = [layout.logs / f"{name}.log" for name in PROCESSES]
    elif what.replace("-", "_") in PROCESSES:
        found = [layout.logs / f"{what.replace('-', '_')}.log"]
    else:
        found = _engine_logs(settings.runtime_agent.state_directory, what)
    found = [file for file in found if file.is_file()]
    if not found:
        raise DependencyUnavailable(
            f"There is no log of {what or 'anything'} here",
            f"Known are {', '.join(PROCESSES)}, and models that were loaded on this machine.",
        )
    return found


def _engine_logs(state: Path, model: str) -> list[Path]:
    """The log of the newest load attempt; the file is named `<model>.<generation>`."""
    logs = {
        file: int(file.stem.removeprefix(f"{model}."))
        for file in state.rglob(f"{model}.*.log")
        if file.stem.removeprefix(f"{model}.").isdigit()
    }
    return [max(logs, key=lambda file: logs[file])] if logs else []


def _labelled(line: str, file: Path, files: int) -> str:
    return line if files == 1 else f"{file.stem:>13} | {line}"


def _follow(files: list[Path]) -> None:
    """Print what is appended until a signal; a file that is rotated is opened again."""
    try:
        with stopped_by_signals():
            tails = [_Tail(file) for file in files]
            while True:
                for tail in tails:
                    for line in tail.new_lines():
                        out(_labelled(line, tail.path, len(files)))
                pause(FOLLOW_S)
    except Stopped:
        return


class _Tail:
    """A file read from its end on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rest = b""
        self._file: BinaryIO = path.open("rb")
        self._file.seek(0, 2)

    def new_lines(self) -> list[str]:
        """Whole lines that were written since the last call."""
        text = self._rest + self._file.read()
        *lines, self._rest = text.split(b"\n")
        if not lines and self._was_rotated():
            self._file.close()
            self._file = self.path.open("rb")
        return [line.decode("utf-8", "replace") for line in lines]

    def _was_rotated(self) -> bool:
        try:
            now = self.path.stat()
        except OSError:
            return False
        mine = self._file.fileno()
        return now.st_ino != Path(f"/proc/self/fd/{mine}").stat().st_ino
