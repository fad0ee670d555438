"""Shows logs: of the local system's processes, and of a model's engine, wherever that runs.

An engine's log is asked of the gateway where `MODELIUM_URL` names one or it does not lie here.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from modelium.cli import event_stream
from modelium.cli.console import out, say
from modelium.cli.gateway_client import GatewayClient
from modelium.cli.layout import Layout
from modelium.cli.programs import SERVICES
from modelium.cli.supervise import log_tail
from modelium.cli.unknown_model import in_our_words
from modelium.cli.waiting import Stopped, pause, stopped_by_signals
from modelium.common.errors import DependencyUnavailable
from modelium.common.load_settings import Settings

PROCESSES = (*SERVICES, "nats", "redis", "supervisord")
FOLLOW_S = 0.3


def show_logs(
    settings: Settings,
    layout: Layout,
    what: str | None,
    *,
    lines: int,
    follow: bool,
    as_json: bool,
) -> None:
    """The last lines of what is asked for, and what follows if wanted."""
    show = _Show(as_json)
    if what is not None and _is_elsewhere(settings, what):
        _show_remote(GatewayClient.of(settings), what, show, lines=lines, follow=follow)
        return
    files = log_files(settings, layout, what)
    show.labelled = len(files) > 1
    for file in files:
        for line in log_tail(file, lines):
            show(file.stem, line)
    if follow:
        _follow(files, what if _is_model(what) else None, show)


def _is_model(what: str | None) -> bool:
    return what is not None and what.replace("-", "_") not in PROCESSES


class _Show:
    """Writes a line as it is, behind the name of its log where there are several, or as JSON."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.labelled = False

    def __call__(self, name: str, line: str) -> None:
        if self.as_json:
            out(json.dumps({"log": name, "line": line}))
        else:
            out(f"{name:>13} | {line}" if self.labelled else line)


def _is_elsewhere(settings: Settings, what: str) -> bool:
    """Whether a model's log is for the gateway to tell: one that is named, or none lies here."""
    if not _is_model(what):
        return False
    if os.environ.get("MODELIUM_URL"):
        return True
    return not _engine_logs(settings.runtime_agent.state_directory, what)


def _show_remote(
    client: GatewayClient, model: str, show: _Show, *, lines: int, follow: bool
) -> None:
    with in_our_words(client, model):
        if not follow:
            for line in client.engine_log(model, lines)["lines"]:
                show(model, line)
            return
        try:
            with stopped_by_signals():
                for line in remote_lines(client, model, lines):
                    show(model, line)
        except Stopped:
            return


def remote_lines(
    client: GatewayClient, model: str, lines: int, *, wait: Callable[[float], None] = pause
) -> Iterator[str]:
    """All lines from the last few on, for ever.

    After a break it goes on behind the last line, by the id of that.
    """

    def path(seen: str) -> str:
        return client.engine_log_path(model, None if seen else lines, follow=True)

    for event in event_stream.follow(client, path, wait=wait):
        if event.name == "line":
            yield json.loads(event.data)["line"]


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
    """The log of the newest load attempt."""
    return _newest(state.rglob(f"{model}.*.log"), model)


def _newest(files: Iterable[Path], model: str) -> list[Path]:
    """A file is named `<model>.<generation>`; none where none is."""
    logs = {
        file: int(file.stem.removeprefix(f"{model}."))
        for file in files
        if file.stem.removeprefix(f"{model}.").isdigit()
    }
    return [max(logs, key=lambda file: logs[file])] if logs else []


def _follow(files: list[Path], model: str | None, show: _Show) -> None:
    """Print what is appended until a signal."""
    try:
        with stopped_by_signals():
            for name, line in appended_lines(files, model):
                show(name, line)
    except Stopped:
        return


def appended_lines(
    files: list[Path], model: str | None, *, wait: Callable[[float], None] = pause
) -> Iterator[tuple[str, str]]:
    """All lines from now on, for ever, each with the name of its log.

    A file that is rotated is opened again. Of a `model` it goes on with its next engine.
    """
    tails = [_Tail(file) for file in files]
    while True:
        for tail in tails:
            for line in tail.new_lines():
                yield tail.path.stem, line
        if model is not None and (newer := _newer(tails[0].path, model)):
            yield from ((tails[0].path.stem, line) for line in tails[0].new_lines())
            say(f"{newer.stem} is the next engine", "dim")
            tails = [_Tail(newer, whole=True)]
        else:
            wait(FOLLOW_S)


def _newer(file: Path, model: str) -> Path | None:
    [newest] = _newest(file.parent.glob(f"{model}.*.log"), model) or [file]
    return None if newest == file else newest


class _Tail:
    """A file read from its end on, or from its beginning."""

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        self.path = path
        self._rest = b""
        self._file: BinaryIO = path.open("rb")
        if not whole:
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
