"""Makes up one row for a model, from what its host says that it takes; pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

OPEN_LENGTH: Final = 8
"""Of a dimension that may have any; the first is that of the batch, and has one row."""
LARGEST: Final = 1 << 20
"""Elements: a larger row says nothing that a smaller one would not, and holds up who asks."""


def row_for(inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The body of a request by the Open Inference Protocol; None: it does not say enough."""
    rows = [_tensor(spec) for spec in inputs]
    if not rows or any(row is None for row in rows):
        return None
    return {"inputs": rows}


def _tensor(spec: Mapping[str, Any]) -> dict[str, Any] | None:
    datatype, shape = str(spec.get("datatype") or ""), spec.get("shape")
    if not datatype or not isinstance(shape, list):
        return None
    lengths = [_length(at, length) for at, length in enumerate(shape)]
    count = math.prod(lengths)
    if count > LARGEST:
        return None
    value: Any = {"BYTES": "", "BOOL": False}.get(datatype, 0)
    return {
        "name": spec.get("name", ""),
        "datatype": datatype,
        "shape": lengths,
        "data": [value] * count,
    }


def _length(at: int, length: int) -> int:
    if length >= 0:
        return length
    return OPEN_LENGTH if at else 1
