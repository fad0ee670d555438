"""Which tensors a model takes and gives by the Open Inference Protocol. Pure.

What its files say, but for models that a model host reads with their tokenizer or preprocessor:
those take texts or images as they are (`model_host/models/`), not what is computed from them.
"""

from typing import Final

from modelium.common.descriptor import Descriptor, RuntimeKind, Task, TensorSpec

Specs = tuple[TensorSpec, ...]

_ANY: Final = -1
_IMAGE: Final = TensorSpec(name="image", datatype="BYTES", shape=(_ANY,))
_TEXT: Final = TensorSpec(name="text", datatype="BYTES", shape=(_ANY,))
_TOKENS: Final = TensorSpec(name="tokens", datatype="INT64", shape=(_ANY,))
_LABEL: Final = TensorSpec(name="label", datatype="BYTES", shape=(_ANY,))


def tensors_of(about: Descriptor) -> tuple[Specs, Specs]:
    """Its inputs and outputs; empty where nobody knows before its engine runs."""
    if about.runtime is RuntimeKind.RAY_SERVE:
        match about.task:
            case Task.VISION:
                return (_IMAGE,), _labels(about)
            case Task.CLASSIFY:
                return (_TEXT,), (*_labels(about), _TOKENS)
            case Task.EMBEDDING:
                return (_TEXT,), (_floats("embedding", _ANY), _TOKENS)
    return about.inputs, about.outputs


def _labels(about: Descriptor) -> Specs:
    """Of a classifier; its files may say how many classes it has."""
    shapes = [spec.shape for spec in about.outputs if spec.name == "logits" and spec.shape]
    classes = shapes[0][-1] if shapes else _ANY
    return _floats("logits", classes), _floats("probabilities", classes), _LABEL


def _floats(name: str, width: int) -> TensorSpec:
    return TensorSpec(name=name, datatype="FP32", shape=(_ANY, width))
