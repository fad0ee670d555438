"""What the headers of safetensors files say of the weights; the weights are not read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np  # noqa: F401 safetensors loads it at its first use: not while a user waits
from safetensors import SafetensorError, safe_open

from modelium.common.errors import Incomplete
from modelium.watcher.formats.files import Files, unreadable

_BITS: Final = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "C64": 64}
_PACKED: Final = (".qweight", ".weight_packed")
"""Tensors of 32-bit integers that hold several weights each."""


@dataclass(frozen=True)
class Weights:
    """What the headers of the weight files say."""

    elements: Counter[str]
    """By data type; of packed ones, the integers."""
    packed: int
    """How many of the elements hold several weights each."""
    metadata: dict[str, str]

    @property
    def dtype(self) -> str:
        """Of most elements."""
        commonest = self.elements.most_common(1)
        return commonest[0][0] if commonest else ""

    @property
    def bytes_by_dtype(self) -> dict[str, int]:
        return {dtype: count * bits_of(dtype) // 8 for dtype, count in self.elements.items()}

    def parameters(self, bits: int = 0) -> int:
        """Weights in all; `bits` is the size of a packed one, 0: none is."""
        more = self.packed * (32 // bits - 1) if 0 < bits <= 16 else 0
        return self.elements.total() + more


def bits_of(dtype: str) -> int:
    """Of one element: most types have them in their name."""
    if dtype in _BITS:
        return _BITS[dtype]
    digits = dtype.partition("_")[0].lstrip("BFIU")
    return int(digits) if digits.isdigit() else 8


def weights_of(files: Files, names: Iterable[str]) -> Weights:
    """Count what all these files hold; the library checks that each is whole.

    Raises:
        InvalidModel: one is not.
    """
    elements: Counter[str] = Counter()
    packed = 0
    metadata: dict[str, str] = {}
    for name in names:
        try:
            with safe_open(files.path(name), framework="numpy") as tensors:
                metadata |= tensors.metadata() or {}
                for key in tensors.keys():  # noqa: SIM118 it is no mapping
                    tensor = tensors.get_slice(key)
                    count = prod(tensor.get_shape())
                    elements[str(tensor.get_dtype())] += count
                    packed += count if key.endswith(_PACKED) else 0
        except SafetensorError as error:
            raise Incomplete(f"{name} is incomplete or damaged ({error})") from None
        except OSError as error:
            raise unreadable(name, error) from None
    return Weights(elements, packed, metadata)
