"""Pickles: refused unless all they name is known to be harmless. Nothing here unpickles.

picklescan tells what a pickle names. It passes over what it cannot parse, so that each stream of
opcodes is first followed to its end here, and then given to it alone.
"""

import io
import logging
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from picklescan.scanner import Global, SafetyLevel, scan_pickle_bytes

from modelium.common.errors import InvalidModel
from modelium.watcher.safety import limits
from modelium.watcher.safety.archives import BROKEN, is_archive, open_archive, read_entry
from modelium.watcher.safety.archives import MAGIC as ARCHIVE

_IN_ARCHIVES: Final = (".pkl", ".pickle", ".debug_pkl")
_MACHINE_CODE: Final = (".so", ".dll", ".dylib", ".pyd")
_TOUCHES_FILES: Final = re.compile(rb"\b(?:torch\.|aten::)(?:save|from_file)\b")
_PROTOCOLS: Final = tuple(bytes((0x80, number)) for number in range(6))
_EXTENSIONS: Final = frozenset({"EXT1", "EXT2", "EXT4"})
"""They name a global by a number that only the reading process can resolve."""
_STREAMS: Final = 64
_TORCHSCRIPT: Final = frozenset(
    {("torch.jit._pickle", name) for name in ("build_intlist", "build_tensorlist")}
    | {("torch.jit._pickle", name) for name in ("build_doublelist", "build_boollist")}
    | {("torch.jit._pickle", name) for name in ("build_tensor_from_id", "restore_type_tag")}
)
"""Read by TorchScript's own reader, which builds lists for them and imports nothing."""
_TORCHSCRIPT_CLASSES: Final = "__torch__"

logging.getLogger("picklescan").setLevel(logging.CRITICAL)  # what it finds, we say


def require_harmless(source: bytes | Path, name: str = "", *, torchscript: bool = False) -> None:
    """Refuse a pickle, or a file made of pickles, that could do anything when it is read.

    `source` is one file's content, or its path: a zip archive is looked through entry by entry.
    With `torchscript` the archive's own classes, which only TorchScript reads, are allowed.

    Raises:
        InvalidModel: a stream is damaged, or names something that is not known to be harmless.
    """
    if isinstance(source, bytes):
        _require_harmless_streams(source, name or "it", torchscript)
    elif is_archive(source):
        with open_archive(source) as archive:
            require_harmless_entries(archive, name or source.name, torchscript=torchscript)
    else:
        _require_harmless_file(source, name or source.name)


def require_harmless_entries(
    archive: zipfile.ZipFile, name: str, *, torchscript: bool = False, nested: bool = False
) -> None:
    """The same for all pickles in an open archive, whatever they are called.

    `.pt2` has archives in its archive; these may have none in them. Machine code and TorchScript
    that reads or writes files are refused as well.
    """
    for entry in archive.namelist():
        where = f"{name}:{entry}"
        if entry.endswith(_MACHINE_CODE):
            raise InvalidModel(f"{where} is machine code, which would run when it is loaded")
        head = _head(archive, entry, where)
        if head.startswith(ARCHIVE) and nested:
            raise InvalidModel(f"{where} is an archive in an archive in an archive")
        if head.startswith(ARCHIVE):
            content = read_entry(archive, entry, where, longest=limits.PICKLE_BYTES)
            with open_archive(content, where) as inner:
                require_harmless_entries(inner, where, torchscript=torchscript, nested=True)
        elif entry.endswith(_IN_ARCHIVES) or _may_be_a_pickle(head):
            content = read_entry(archive, entry, where, longest=limits.PICKLE_BYTES)
            _require_harmless_streams(content, where, torchscript)
        elif entry.endswith(".py"):
            _require_calculating(read_entry(archive, entry, where), where)


def _head(archive: zipfile.ZipFile, entry: str, where: str) -> bytes:
    try:
        with archive.open(entry) as opened:
            return opened.read(64)
    except (*BROKEN, OSError, RuntimeError):
        raise InvalidModel(f"{where} is damaged: its checksum or its header is wrong") from None


def _require_calculating(code: bytes, where: str) -> None:
    found = _TOUCHES_FILES.search(code)
    if found:
        raise InvalidModel(f"{where} reads or writes files ({found[0].decode(errors='replace')})")


def _may_be_a_pickle(head: bytes) -> bool:
    """Tensors' bytes may begin like one by chance: they go on as no opcodes do."""
    return head.startswith(_PROTOCOLS) and _is_opcodes(head)


def _is_opcodes(head: bytes) -> bool:
    """Whether the bytes are opcodes as far as they go."""
    end = 0
    try:
        for opcode, _, position in pickletools.genops(head):
            end = position or 0
            if opcode.name == "STOP":
                return True
    except (ValueError, IndexError, OverflowError, UnicodeError):
        return end >= len(head) // 2
    return True


def _require_harmless_file(path: Path, name: str) -> None:
    """A legacy PyTorch file: several pickles in a row, then the tensors."""
    with path.open("rb") as opened:
        content = opened.read(limits.PICKLE_BYTES)
    _require_harmless_streams(content, name, torchscript=False, then_data=True)


def _require_harmless_streams(
    content: bytes, name: str, torchscript: bool, *, then_data: bool = False
) -> None:
    for stream in _streams(content, name, then_data):
        try:
            result = scan_pickle_bytes(io.BytesIO(stream), name, multiple_pickles=False)
        except (ValueError, TypeError, LookupError):
            raise InvalidModel(f"{name} is a pickle that cannot be checked") from None
        if result.scan_err:
            raise InvalidModel(f"{name} is a pickle that cannot be checked")
        for found in sorted(result.globals, key=lambda found: (found.module, found.name)):
            if not _is_harmless(found, torchscript):
                raise InvalidModel(
                    f"{name} is a pickle that would run {found.module}.{found.name} when it is "
                    "loaded: convert the weights to safetensors"
                )


def _is_harmless(found: Global, torchscript: bool) -> bool:
    if found.safety is SafetyLevel.Innocuous:
        return True
    if not torchscript:
        return False
    own = found.module.split(".")[0] == _TORCHSCRIPT_CLASSES
    return own or (found.module, found.name) in _TORCHSCRIPT


def _streams(content: bytes, name: str, then_data: bool) -> Iterator[bytes]:
    """Each pickle by itself: what one remembers must not count for the next."""
    begin = 0
    for count in range(_STREAMS):
        end = _end_of_stream(content, begin, name)
        if end is None:
            if count == 0 or not then_data:
                raise InvalidModel(f"{name} is no whole pickle")
            yield content[begin:]  # what a reader would run before it sees that there is no end
            return
        yield content[begin:end]
        begin = end
        if begin == len(content):
            return
    raise InvalidModel(f"{name} has more than {_STREAMS} pickles in a row")


def _end_of_stream(content: bytes, begin: int, name: str) -> int | None:
    stream = io.BytesIO(content)
    stream.seek(begin)
    try:
        for opcode, _, _ in pickletools.genops(stream):
            if opcode.name in _EXTENSIONS:
                raise InvalidModel(f"{name} is a pickle that names by a number what it would run")
            if opcode.name == "STOP":
                return stream.tell()
    except (ValueError, IndexError, OverflowError, UnicodeError):
        return None
    return None
