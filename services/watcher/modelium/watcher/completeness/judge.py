"""Whether a candidate is whole: each file by its own header, and the folder by what its files name.

`missing` is proof that something is not there. `doubt` is not: zeros where tensors should be may be
the tensors', so it only makes the candidate wait longer. Blocks; reads no more than the ends.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO, Final

from modelium.common.errors import InvalidModel
from modelium.watcher.completeness.archive import check_archive
from modelium.watcher.completeness.effort import Effort, TooMuch
from modelium.watcher.completeness.gguf_header import check_gguf
from modelium.watcher.completeness.headers import (
    BYTE_ORDER_MARK,
    LONGEST_POINTER_BYTES,
    Extent,
    check_safetensors,
    has_zero_ends,
    is_closed_json,
    is_lfs_pointer,
)
from modelium.watcher.completeness.onnx_file import Outside, check_onnx
from modelium.watcher.completeness.parts import READ_JSON, require_named, unindexed, weight_files
from modelium.watcher.completeness.writers import has_hole, is_being_written
from modelium.watcher.listing import Candidate, File
from modelium.watcher.regular import open_regular

_LARGEST_JSON_BYTES: Final = 64 << 20
_LEASE_US, _OPEN_US, _ENDS_US = 10.0, 30.0, 50.0
_TOO_MUCH: Final = "it has more to read through than is read before its analysis"


@dataclass(frozen=True)
class Judgement:
    """What is not there, and what may not be; both for people."""

    missing: str | None = None
    doubt: str | None = None
    written: File | None = None
    """Somebody has this one open for writing, which is a doubt."""


def judge(candidate: Candidate) -> Judgement:
    """What the candidate lacks; never raises for what files may hold.

    Nothing is said of one whose links lead out of the watch directory, or that may not be read: no
    more bytes can help there, and the analysis says what is wrong. What would take longer than
    `Effort` allows is doubtful: it waits, and the analysis, which is bounded in time, tells.
    """
    if candidate.leaves or any(not file.readable for file in candidate.files):
        return Judgement()
    effort = Effort()
    try:
        written = _first_written(candidate, effort)
    except TooMuch:
        return Judgement(doubt=_TOO_MUCH)
    doubt = f"somebody has {written.path} open for writing" if written else None
    try:
        return Judgement(None, doubt or next(_doubts(candidate, effort), None), written)
    except TooMuch:
        return Judgement(None, doubt or _TOO_MUCH, written)
    except InvalidModel as error:
        return Judgement(error.reason, doubt, written)


def path_of(candidate: Candidate, file: File) -> Path:
    """Where a file of the candidate lies."""
    path = Path(candidate.path)
    return path.parent / file.path if candidate.is_file else path / file.path


def is_written(candidate: Candidate, file: File) -> bool:
    """Whether somebody has it open for writing, as far as the kernel tells."""
    return is_being_written(path_of(candidate, file))


def _first_written(candidate: Candidate, effort: Effort) -> File | None:
    for file in candidate.files:
        effort.spend(_LEASE_US)
        if is_written(candidate, file):
            return file
    return None


def _doubts(candidate: Candidate, effort: Effort) -> Iterator[str]:
    """Reads all of it before the first doubt, so that what is missing is said first.

    Raises:
        InvalidModel: something is missing.
    """
    for file in candidate.files:
        effort.spend(_OPEN_US)
        _require_no_pointer(candidate, file)
    weights = weight_files(candidate)
    for file in candidate.files:
        if file.path.endswith(READ_JSON):
            _require_closed(candidate, file, effort)
    require_named(candidate, weights, lambda file: _contents(candidate, file), effort)
    found = [doubt for file in weights for doubt in _of_weights(candidate, file, effort)]
    yield from found
    yield from unindexed(candidate, weights)


def _require_no_pointer(candidate: Candidate, file: File) -> None:
    if file.size_bytes > LONGEST_POINTER_BYTES:
        return
    with _opened(candidate, file) as opened:
        if is_lfs_pointer(opened, file.size_bytes):
            raise InvalidModel(
                f"{file.path} is only Git LFS' pointer to the file: run git lfs pull in its folder"
            )


def _require_closed(candidate: Candidate, file: File, effort: Effort) -> None:
    """Scalars pass: they are none of the files that models are described by."""
    if file.size_bytes > _LARGEST_JSON_BYTES:
        return  # the analysis refuses it
    text = _contents(candidate, file)
    bare = text.removeprefix(BYTE_ORDER_MARK).lstrip()
    if bare[:1] not in (b"", b"\0", b"{", b"[") or len(text) > _LARGEST_JSON_BYTES:
        return
    effort.scan_json(text)
    if not is_closed_json(text):
        raise InvalidModel(f"{file.path} is incomplete or damaged: it ends in the middle")


def _contents(candidate: Candidate, file: File) -> bytes:
    with _opened(candidate, file) as opened:
        return opened.read(_LARGEST_JSON_BYTES + 1)


def _of_weights(candidate: Candidate, file: File, effort: Effort) -> list[str]:
    """Doubts of one weight file, and of those in which it keeps tensors."""
    outside: list[Outside] = []
    extent: Extent | None = None
    effort.spend(_ENDS_US)
    with _opened(candidate, file) as opened, _about(file):
        match PurePath(file.path).suffix.lower():
            case ".safetensors":
                extent = check_safetensors(opened, file.size_bytes, effort)
            case ".gguf":
                extent = check_gguf(opened, file.size_bytes, effort)
            case ".onnx":
                outside = check_onnx(opened, file.size_bytes, effort)
            case _:
                check_archive(opened, file.size_bytes, effort)
        doubts = _unwritten(opened, file, extent)
    return doubts + _of_outside(candidate, file, outside, effort)


def _of_outside(
    candidate: Candidate, model: File, outside: Sequence[Outside], effort: Effort
) -> list[str]:
    """A location that leads elsewhere is none of ours: the analysis refuses it."""
    files = {file.path: file for file in candidate.files}
    folder = PurePosixPath(model.path).parent
    doubts: list[str] = []
    for location, end in _ends(outside).items():
        effort.spend(_ENDS_US)
        wanted = PurePosixPath(location)
        if wanted.is_absolute() or ".." in wanted.parts:
            continue
        file = files.get(str(folder / wanted))
        if file is None or file.size_bytes < end:
            lacks = "is missing" if file is None else f"has {file.size_bytes} of {end} bytes"
            raise InvalidModel(f"{location}, where {model.path} keeps tensors, {lacks}")
        with _opened(candidate, file) as opened:
            doubts += _unwritten(opened, file, Extent(0, end or file.size_bytes))
    return doubts


def _ends(outside: Sequence[Outside]) -> dict[str, int]:
    ends: dict[str, int] = {}
    for part in outside:
        ends[part.location] = max(part.end, ends.get(part.location, 0))
    return ends


def _unwritten(opened: BinaryIO, file: File, extent: Extent | None) -> list[str]:
    if has_hole(opened.fileno(), file.size_bytes):
        return [f"{file.path} has a part that was never written"]
    if extent and has_zero_ends(opened, extent):
        return [f"{file.path} begins or ends with zeros, as one that is not written yet"]
    return []


@contextmanager
def _opened(candidate: Candidate, file: File) -> Iterator[BinaryIO]:
    try:
        with open_regular(path_of(candidate, file)) as opened:
            yield opened
    except OSError as error:
        raise InvalidModel(f"{file.path} cannot be read ({error.strerror})") from None


@contextmanager
def _about(file: File) -> Iterator[None]:
    try:
        yield
    except InvalidModel as error:
        raise InvalidModel(f"{file.path} is incomplete or damaged: it {error.reason}") from None
