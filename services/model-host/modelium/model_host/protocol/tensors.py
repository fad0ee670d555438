"""Datatypes of the Open Inference Protocol, and tensors in memory; pure.

A tensor is a numpy array. BYTES is an array of objects that are `bytes`; BF16, which numpy does
not have, is held as float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Tensors = Mapping[str, Array]

BYTES: Final = "BYTES"
BF16: Final = "BF16"

DTYPES: Final[Mapping[str, np.dtype[Any]]] = MappingProxyType(
    {
        "BOOL": np.dtype(np.bool_),
        "UINT8": np.dtype("<u1"),
        "UINT16": np.dtype("<u2"),
        "UINT32": np.dtype("<u4"),
        "UINT64": np.dtype("<u8"),
        "INT8": np.dtype("<i1"),
        "INT16": np.dtype("<i2"),
        "INT32": np.dtype("<i4"),
        "INT64": np.dtype("<i8"),
        "FP16": np.dtype("<f2"),
        BF16: np.dtype("<f4"),
        "FP32": np.dtype("<f4"),
        "FP64": np.dtype("<f8"),
        BYTES: np.dtype(object),
    }
)
_NAMES: Final = {dtype: name for name, dtype in DTYPES.items() if name != BF16}


def datatype_of(array: Array) -> str:
    """The protocol's name of an array's type.

    Raises:
        KeyError: it has none, like complex numbers.
    """
    return _NAMES[array.dtype]


def bytes_of(tensors: Tensors) -> int:
    """What they hold; of BYTES not the values."""
    return sum(array.nbytes for array in tensors.values())


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What is known of an input or output before a request is there."""

    name: str
    datatype: str = ""
    """Empty: not known."""
    shape: tuple[int, ...] | None = None
    """-1: any length; None: not even the rank is known."""

    def metadata(self) -> dict[str, object]:
        """As `/v2/models/{m}` shows it."""
        shape = list(self.shape) if self.shape is not None else []
        return {"name": self.name, "datatype": self.datatype, "shape": shape}

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape may be given."""
        if self.shape is None:
            return True
        if len(shape) != len(self.shape):
            return False
        return all(want in (-1, got) for want, got in zip(self.shape, shape, strict=True))
