"""The header of a `.safetensors` file, read before its library does.

The library checks that ranges fit the file and each other; this, that the header is small enough
to be read at all, and says nothing twice.
"""

from math import prod
from pathlib import Path
from typing import Any, Final

from modelium.common.errors import InvalidModel
from modelium.watcher.safety import limits
from modelium.watcher.safety.text import parse_json

_LENGTH_BYTES: Final = 8
_METADATA: Final = "__metadata__"
_LARGEST: Final = 1 << 62


def require_sound_safetensors(path: Path, name: str) -> dict[str, Any]:
    """What the header says of each tensor.

    Raises:
        InvalidModel: it is cut off, too large, ambiguous, or its ranges lie outside the file.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as opened:
        length = int.from_bytes(opened.read(_LENGTH_BYTES), "little")
        if size_bytes < _LENGTH_BYTES or length > size_bytes - _LENGTH_BYTES:
            raise InvalidModel(
                f"{name} is incomplete or damaged (its header says {length} bytes, the file has "
                f"{size_bytes}): copy it again"
            )
        if length > limits.SAFETENSORS_HEADER_BYTES:
            raise InvalidModel(f"{name} has a header of {length} bytes, more than is read")
        text = opened.read(length)
    header = parse_json(text, f"the header of {name}", longest=limits.SAFETENSORS_HEADER_BYTES)
    if not isinstance(header, dict) or len(header) > limits.TENSORS:
        raise InvalidModel(f"the header of {name} is no list of tensors")
    header.pop(_METADATA, None)
    ends = [_sound_end(tensor, said, name) for tensor, said in header.items()]
    wanted = _LENGTH_BYTES + length + max(ends, default=0)
    if wanted > size_bytes:
        raise InvalidModel(
            f"{name} is cut off: it has {size_bytes:,} of {wanted:,} bytes; copy it again"
        )
    return header


def _sound_end(tensor: str, said: Any, name: str) -> int:
    """The first byte of the data behind the tensor."""
    try:
        shape, (begin, end) = said["shape"], said["data_offsets"]
        numbers = [*shape, begin, end]
        whole = all(type(number) is int and 0 <= number < _LARGEST for number in numbers)
        sound = isinstance(said["dtype"], str) and whole and begin <= end
        sound = sound and len(shape) <= limits.DIMENSIONS and prod(shape) < _LARGEST
    except (TypeError, KeyError, ValueError):
        sound = False
    if not sound or len(tensor) > limits.NAME_BYTES:
        raise InvalidModel(
            f"the header of {name} says of tensor {tensor[:80]!r} what cannot be: a type, a shape "
            "and a range within the file were expected"
        )
    return int(end)
