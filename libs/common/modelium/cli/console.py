"""What the command writes: steps with their times, tables, colours, JSON.

Progress goes to stderr and results to stdout, so that `--json` can be piped. Colours appear on a
terminal only, and never with `NO_COLOR`.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from modelium.common.clock import Clock, SystemClock

REDRAW_S = 0.2
CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
STATE_COLOURS = {
    "loaded": "green",
    "ready": "green",
    "ok": "green",
    "loading": "yellow",
    "unloading": "yellow",
    "sleeping": "cyan",
    "error": "red",
    "rejected": "red",
    "failed": "red",
    "warning": "yellow",
}


_CONTROLS: Final = re.compile(r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Colours, which harm nobody, and every other way to command a terminal."""


def harmless(text: str, stream: TextIO) -> str:
    """`text` with nothing in it that moves a terminal's cursor, sets its title and so on.

    What engines and other systems say is shown here. What is piped stays as it is.
    """
    if not stream.isatty():
        return text
    return _CONTROLS.sub(lambda found: found[1] or f"\\x{ord(found[0]):02x}", text)


def coloured(text: str, colour: str | None, stream: TextIO) -> str:
    """`text` in a colour, where `stream` and the user want one."""
    if colour is None or not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{CODES[colour]}m{text}\x1b[0m"


def this_command() -> str:
    """How the user can call this program again: by its name if it is on PATH, else by its path."""
    if shutil.which("modelium"):
        return "modelium"
    if sys.argv[0].endswith(".py"):
        return f"{sys.executable} -m modelium.cli.main"
    path = Path(sys.argv[0]).absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def out(text: str = "") -> None:
    """A line of the result."""
    print(harmless(text, sys.stdout), file=sys.stdout, flush=True)


def say(text: str = "", colour: str | None = None) -> None:
    """A line beside the result."""
    shown = coloured(harmless(text, sys.stderr), colour, sys.stderr)
    print(shown, file=sys.stderr, flush=True)


def out_json(value: Any) -> None:
    """The result for programs."""
    out(json.dumps(value, indent=2, default=str))


def out_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as needed; the last one is not padded. States have their colours."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    out(coloured(_aligned(titles, widths), "bold", sys.stdout))
    for row in rows:
        cells = [
            coloured(cell.ljust(width), STATE_COLOURS.get(cell), sys.stdout)
            for cell, width in zip(row, widths, strict=True)
        ]
        out("  ".join(cells).rstrip())


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


class Step:
    """One step on its line; `note` shows what it is doing just now."""

    def __init__(self, text: str, clock: Clock) -> None:
        self._text = text
        self._clock = clock
        self._started = clock.monotonic()
        self._noted = ""
        self._drawn_s = 0.0
        self._write(f"  {text} ...")

    def note(self, what: str = "") -> None:
        """Show progress: on a terminal in place, else a line whenever `what` changes."""
        now_s = self._clock.monotonic() - self._started
        if sys.stderr.isatty():
            if now_s - self._drawn_s >= REDRAW_S:
                self._drawn_s = now_s
                self._write(f"\r\x1b[K  {self._text} ... {now_s:.0f} s {what}")
        elif what and what != self._noted:
            self._noted = what
            self._write(f"\n    {what}")

    def done(self, result: str) -> None:
        """The line's end."""
        took_s = self._clock.monotonic() - self._started
        if sys.stderr.isatty():
            self._write(f"\r\x1b[K  {self._text} ...")
        elif self._noted:
            self._write(f"\n  {self._text} ...")
        self._write(f" {result}, {took_s:.1f} s\n")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


@contextmanager
def step(text: str, result: str = "done", clock: Clock | None = None) -> Iterator[Step]:
    """A step that is done when the block ends, and failed when it raises."""
    shown = Step(text, clock or SystemClock())
    try:
        yield shown
    except BaseException:
        shown.done(coloured("failed", "red", sys.stderr))
        raise
    shown.done(result)
