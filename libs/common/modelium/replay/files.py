"""Reads and writes traces, and what is known of their models: CSV, gzipped where so named.

A trace has the columns `t_s,model,dur_s,in_tok,out_tok`: seconds since it began, the model, for how
long an engine is at it; the tokens may be left out or empty. A table of models has `model,gb` and,
where it was measured, `load_s`.
"""

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from modelium.common.errors import ExitCode, ModeliumError
from modelium.common.records import MODEL_NAME_PATTERN
from modelium.replay.parts import GB, Need
from modelium.replay.trace import HOUR_S, Request, Trace, in_order

COLUMNS: Final = ("t_s", "model", "dur_s", "in_tok", "out_tok")
MODEL_COLUMNS: Final = ("model", "gb", "load_s")
LONGEST_S: Final = 10 * 365 * 24 * HOUR_S
"""Of a trace; what is longer tells the time of day since 1970."""
_GZIP: Final = b"\x1f\x8b"
_NAME: Final = re.compile(MODEL_NAME_PATTERN)


class WrongFile(ModeliumError):
    """A file cannot be used as what it is given for; says where and what was expected."""

    exit_code = ExitCode.USAGE


class OtherColumns(WrongFile):
    """It is a table, but of something else."""


def read(path: Path, *, hours: float = float("inf")) -> Trace:
    """The first hours of a trace.

    Raises:
        OtherColumns: it has other columns.
        WrongFile: it cannot be read, or something in it is wrong.
    """
    requests = [
        Request(_number(path, line, "t_s", at_s), model, _number(path, line, "dur_s", lasts_s))
        for line, (at_s, model, lasts_s) in _rows(path, COLUMNS[:3])
    ]
    for model in {request.model for request in requests}:
        if not _NAME.match(model):
            raise WrongFile(f"{path}: {model!r} is no name of a model, expected {_NAME.pattern}")
    latest_s = max((request.at_s for request in requests), default=0.0)
    if latest_s > LONGEST_S:
        raise WrongFile(
            f"{path}: t_s is up to {latest_s:g}, expected seconds since the trace began, "
            "no more than of ten years"
        )
    if not requests:
        raise WrongFile(f"{path} has no request: there is nothing below its line of titles")
    kept = [request for request in requests if request.at_s < hours * HOUR_S]
    if not kept:
        raise WrongFile(f"{path} has no request in its first {hours:g} hours")
    return Trace(path.name.removesuffix(".gz").removesuffix(".csv"), in_order(kept))


def in_folder(folder: Path, *, hours: float) -> Iterator[Trace]:
    """Every trace in a folder, by name; tables of something else are passed over."""
    for path in sorted(folder.glob("*.csv.gz")):
        try:
            yield read(path, hours=hours)
        except OtherColumns:
            continue


def read_needs(path: Path) -> dict[str, Need]:
    """What models need, by their names.

    Raises:
        WrongFile: it cannot be read, or something in it is wrong.
    """
    needs = {}
    for line, (model, gb, load_s) in _rows(path, MODEL_COLUMNS):
        size = _number(path, line, "gb", gb)
        if round(size * GB) == 0:
            raise WrongFile(f"{path}, line {line}: gb is {gb!r}, expected a number above 0")
        needs[model] = Need(round(size * GB), _number(path, line, "load_s", load_s) or None)
    return needs


@contextmanager
def writing(path: Path, columns: Sequence[str]) -> Iterator[TextIO]:
    """A new table with these columns, to which rows are written with `row`.

    Raises:
        WrongFile: it is there already, or cannot be written.
    """
    try:
        with _to_write(path) as file:
            row(file, columns)
            yield file
    except FileExistsError as error:
        raise WrongFile(f"{path} is there already, and would be lost") from error
    except OSError as error:
        raise WrongFile(f"{path} cannot be written: {error.strerror or error}") from error


def row(file: TextIO, values: Sequence[object]) -> None:
    """One more."""
    csv.writer(file, lineterminator="\n").writerow(values)


def _to_write(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "xt", encoding="utf-8", newline="")
    return path.open("x", encoding="utf-8", newline="")


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Line and values of these columns of each row."""
    try:
        with _to_read(path) as file:
            reader = csv.reader(file)
            places = _places(path, next(reader, []), columns)
            for values in reader:
                if values:
                    yield reader.line_num, [values[n] if n < len(values) else "" for n in places]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise WrongFile(f"{path} cannot be read: {_why(error)}") from error


def _to_read(path: Path) -> TextIO:
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _places(path: Path, head: Sequence[str], columns: Sequence[str]) -> list[int]:
    needed = [name for name in columns if name != "load_s"]
    if missing := [name for name in needed if name not in head]:
        raise OtherColumns(
            f"{path} has no column {', '.join(missing)}: its first line is "
            f"{','.join(head)[:80]!r}, expected {','.join(needed)} and perhaps more"
        )
    return [head.index(name) if name in head else len(head) for name in columns]


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf") or (not text and column != "load_s"):
        raise WrongFile(f"{path}, line {line}: {column} is {text!r}, expected a number from 0 on")
    return value


def _why(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) and error.strerror else error)
