"""A single `.safetensors` file: weights without a word on what computes with them."""

from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.watcher.formats.files import Files
from modelium.watcher.formats.safetensors_header import weights_of


def describe(files: Files, name: str) -> Descriptor:
    """What its header says.

    Raises:
        InvalidModel: it is incomplete or damaged.
    """
    weights = weights_of(files, [name])
    return Descriptor(
        format="safetensors",
        framework=weights.metadata.get("format", ""),
        architecture="",
        task=Task.UNKNOWN,
        runtime=RuntimeKind.RAY_SERVE,
        dtype=weights.dtype,
        parameters=weights.parameters(),
        weight_bytes=files.sizes[name],
        weight_bytes_by_dtype=weights.bytes_by_dtype,
        missing=("a folder of its own with config.json, and a tokenizer for text",),
    )
