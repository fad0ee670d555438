"""Formats that are known by their names only, so that a refusal can say what was found."""

from typing import Final

from modelium.common.errors import Incomplete
from modelium.watcher.formats.files import Files

_KINDS: Final = {
    ".pb": "TensorFlow",
    ".h5": "Keras",
    ".hdf5": "Keras",
    ".keras": "Keras",
    ".tflite": "TensorFlow Lite",
    ".msgpack": "Flax",
    ".engine": "TensorRT",
    ".plan": "TensorRT",
    ".mlmodel": "Core ML",
    ".pdmodel": "PaddlePaddle",
    ".nemo": "NeMo",
}


def require_none_alone(files: Files) -> None:
    """For a folder in which nothing else was found.

    Raises:
        Incomplete: it has a model of a format that nothing here reads; others may still come.
    """
    for ending, kind in _KINDS.items():
        if found := files.top(ending):
            raise Incomplete(
                f"{found[0]} is a model of {kind}, which is not served here: export it to ONNX, "
                "or save it as safetensors with its config.json"
            )
