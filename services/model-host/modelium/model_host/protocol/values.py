"""Values of a tensor: from JSON, from raw bytes, and back; pure.

JSON has numbers; a number that the datatype cannot hold is refused, never cut. NaN and infinity
are `null` in an answer in JSON, which has no word for them; binary data carries them.
"""

import math
import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from modelium.model_host.errors import InvalidInput
from modelium.model_host.protocol.tensors import BF16, BYTES, DTYPES, Array

_KINDS: Final = {"b": "b", "u": "ui", "i": "ui", "f": "uif"}
"""Kinds of arrays made of JSON that may become an array of this kind."""
_LENGTH: Final = struct.Struct("<I")
_MAX_DIGITS: Final = 18


def whole_number(text: str) -> int | None:
    """The number that these digits are; None: they are something else, or more than 18."""
    is_one = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if is_one else None


def from_json(name: str, datatype: str, shape: tuple[int, ...], data: list[Any]) -> Array:
    """The tensor of a JSON array, flat or nested.

    Raises:
        InvalidInput: 400, it does not hold what datatype and shape say.
    """
    if datatype == BF16:
        raise InvalidInput(f"input {name!r}: BF16 can be sent as binary data only")
    if datatype == BYTES:
        return _shaped(name, _texts(name, data), shape)
    try:
        array = np.asarray(data) if data else np.empty(0, DTYPES[datatype])
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"input {name!r}: its data is ragged or has numbers too large"
        ) from error
    _require_values(name, datatype, array)
    with np.errstate(over="ignore"):
        made = array.astype(DTYPES[datatype], copy=False)
    if made.dtype.kind == "f" and not np.array_equal(np.isfinite(made), np.isfinite(array)):
        raise InvalidInput(f"input {name!r}: its data has a number too large for {datatype}")
    return _shaped(name, made, shape)


def _require_values(name: str, datatype: str, array: Array) -> None:
    dtype = DTYPES[datatype]
    if array.dtype.kind not in _KINDS[dtype.kind]:
        found = {"b": "booleans", "f": "numbers with a fraction", "i": "numbers"}
        what = found.get(array.dtype.kind, "something else")
        raise InvalidInput(f"input {name!r}: expected values of {datatype}, its data has {what}")
    if dtype.kind in "ui" and array.size:
        limits = np.iinfo(dtype)
        low, high = int(array.min()), int(array.max())
        if low < limits.min or high > limits.max:
            beyond = low if low < limits.min else high
            raise InvalidInput(f"input {name!r}: {beyond} does not fit into {datatype}")


def _texts(name: str, data: list[Any]) -> Array:
    try:
        flat = list(_flattened(data))
    except RecursionError as error:
        raise InvalidInput(f"input {name!r}: its data is nested too deep") from error
    for value in flat:
        if not isinstance(value, str):
            found = type(value).__name__
            raise InvalidInput(f"input {name!r}: BYTES in JSON are strings, its data has a {found}")
    array = np.empty(len(flat), object)
    array[:] = [value.encode("utf-8", "replace") for value in flat]
    return array


def _flattened(data: list[Any]) -> Iterator[Any]:
    for value in data:
        if isinstance(value, list):
            yield from _flattened(value)
        else:
            yield value


def _shaped(name: str, array: Array, shape: tuple[int, ...]) -> Array:
    if array.size != math.prod(shape):
        text = f"input {name!r}: {array.size} values for shape {list(shape)}"
        raise InvalidInput(f"{text}, which takes {math.prod(shape)}")
    if array.ndim > 1 and array.shape != shape:
        text = f"input {name!r}: data nested as {list(array.shape)}, its shape says {list(shape)}"
        raise InvalidInput(text)
    return array.reshape(shape)


def from_bytes(name: str, datatype: str, shape: tuple[int, ...], data: memoryview) -> Array:
    """The tensor of raw little-endian values; of BYTES, each with its length before it.

    Raises:
        InvalidInput: 400, too many or too few bytes.
    """
    if datatype == BYTES:
        return _shaped(name, _elements(name, data), shape)
    width = 2 if datatype == BF16 else DTYPES[datatype].itemsize
    expected = math.prod(shape) * width
    if len(data) != expected:
        text = f"input {name!r}: {len(data)} bytes of binary data for {datatype} {list(shape)}"
        raise InvalidInput(f"{text}, which takes {expected}")
    if datatype == BF16:
        high = np.frombuffer(data, "<u2").astype("<u4") << 16
        return high.view("<f4").reshape(shape)
    array = np.frombuffer(data, DTYPES[datatype]).reshape(shape)
    if datatype == "BOOL" and array.size and int(array.view(np.uint8).max()) > 1:
        raise InvalidInput(f"input {name!r}: a BOOL is one byte, 0 or 1")
    return array


def _elements(name: str, data: memoryview) -> Array:
    found: list[bytes] = []
    at = 0
    while at < len(data):
        begin = at + _LENGTH.size
        end = begin + _LENGTH.unpack_from(data, at)[0] if begin <= len(data) else begin
        if end > len(data):
            raise InvalidInput(f"input {name!r}: its binary data ends within an element")
        found.append(bytes(data[begin:end]))
        at = end
    array = np.empty(len(found), object)
    array[:] = found
    return array


def to_bytes(datatype: str, array: Array) -> bytes:
    """As raw little-endian values."""
    if datatype == BYTES:
        parts: list[bytes] = array.ravel().tolist()
        return b"".join(_LENGTH.pack(len(value)) + value for value in parts)
    if datatype == BF16:
        bits = np.ascontiguousarray(array, "<f4").view("<u4")
        rounded = bits + 0x7FFF + ((bits >> 16) & 1)
        array = (rounded >> 16).astype("<u2")
        datatype = "UINT16"
    data: bytes = np.ascontiguousarray(array, DTYPES[datatype]).tobytes()
    return data


def to_json(name: str, datatype: str, array: Array) -> list[Any]:
    """As one flat array of JSON.

    Raises:
        InvalidInput: 400, bytes that are no text: they can be had as binary data.
    """
    flat: list[Any] = array.ravel().tolist()
    if datatype != BYTES:
        return flat
    try:
        return [value.decode() for value in flat]
    except UnicodeDecodeError as error:
        text = f"output {name!r} has bytes that are no text; ask for it as binary data"
        raise InvalidInput(text) from error
