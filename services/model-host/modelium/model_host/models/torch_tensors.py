"""Arrays of numpy as tensors of torch and back, and torch's settings."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch

from modelium.model_host.errors import CannotLoad, Unavailable, first_line
from modelium.model_host.options import Options
from modelium.model_host.protocol.tensors import BF16, Array

DATATYPES: Final[Mapping[torch.dtype, str]] = MappingProxyType(
    {
        torch.bool: "BOOL",
        torch.uint8: "UINT8",
        torch.uint16: "UINT16",
        torch.uint32: "UINT32",
        torch.uint64: "UINT64",
        torch.int8: "INT8",
        torch.int16: "INT16",
        torch.int32: "INT32",
        torch.int64: "INT64",
        torch.float16: "FP16",
        torch.bfloat16: BF16,
        torch.float32: "FP32",
        torch.float64: "FP64",
    }
)

_OUTPUT: Final = "output"


def prepare(options: Options) -> torch.device:
    """The device to use, with threads and memory limited as the options say.

    Raises:
        CannotLoad: there is no such device.
    """
    torch.set_num_threads(options.threads)
    # Whatever torch reads from here on, it never unpickles anything but weights.
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    if options.device == "cuda":
        if not torch.cuda.is_available():
            raise CannotLoad("torch sees no CUDA device")
        if options.memory_bytes:
            total = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, options.memory_bytes / total))
    return torch.device(options.device)


@contextmanager
def running() -> Iterator[None]:
    """Around a run: without gradients.

    Raises:
        Unavailable: 503, there was no memory for it.
    """
    try:
        with torch.inference_mode():
            yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise Unavailable(f"no memory for this request: {first_line(error)}") from error


def to_torch(array: Array, datatype: str, device: torch.device) -> torch.Tensor:
    """A tensor that the model may write to."""
    tensor = torch.from_numpy(np.array(array, copy=True))
    if datatype == BF16:
        tensor = tensor.to(torch.bfloat16)
    return tensor.to(device)


def to_numpy(tensor: torch.Tensor) -> Array:
    """An array; of bfloat16 one of float32."""
    plain = tensor.detach().cpu()
    if plain.dtype is torch.bfloat16:
        plain = plain.float()
    array: Array = plain.contiguous().numpy()
    return array


def named(value: Any, name: str = "") -> dict[str, Any]:
    """The leaves of what a model gives, named after their place: `output` if it is only one."""
    if isinstance(value, dict):
        parts = [(f"{name}_{key}" if name else str(key), part) for key, part in value.items()]
    elif isinstance(value, tuple | list):
        parts = [(f"{name or _OUTPUT}_{at}", part) for at, part in enumerate(value)]
    else:
        return {name or _OUTPUT: value}
    return {key: leaf for place, part in parts for key, leaf in named(part, place).items()}


def arrays_of(value: Any) -> dict[str, Array]:
    """The tensors in what a model gave.

    Raises:
        TypeError: there is something that is no tensor.
    """
    found = {name: leaf for name, leaf in named(value).items() if leaf is not None}
    for name, leaf in found.items():
        if not isinstance(leaf, torch.Tensor):
            raise TypeError(f"{name!r} of the model is a {type(leaf).__name__}, and no tensor")
    return {name: to_numpy(tensor) for name, tensor in found.items()}
