"""ONNX models, run by ONNX Runtime."""

import logging
from typing import Any, Final

import numpy as np
import onnxruntime

from modelium.model_host.errors import CannotLoad, InvalidInput
from modelium.model_host.models.providers import CPU, choose, has_tensorrt, tensorrt_shapes
from modelium.model_host.options import Options
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import BYTES, Array, Tensors, TensorSpec

log = logging.getLogger(__name__)

_DATATYPES: Final = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": BYTES,
}


class OnnxModel:
    """A session of ONNX Runtime."""

    platform = "onnxruntime_onnx"
    sample = None
    admit = None

    def __init__(self, session: onnxruntime.InferenceSession, signature: Signature) -> None:
        self.signature = signature
        self._session = session
        self._names = [spec.name for spec in signature.outputs]

    def run(self, inputs: Tensors) -> Tensors:
        """See `Model`."""
        given = {
            spec.name: _strings(inputs[spec.name]) if spec.datatype == BYTES else inputs[spec.name]
            for spec in self.signature.inputs
        }
        found = self._session.run(self._names, given)
        return {name: _plain(array) for name, array in zip(self._names, found, strict=True)}


def _strings(array: Array) -> Array:
    texts = np.empty(array.shape, object)
    try:
        texts.ravel()[:] = [value.decode() for value in array.ravel().tolist()]
    except UnicodeDecodeError as error:
        raise InvalidInput("this model takes text; the bytes given are not UTF-8") from error
    return texts


def _plain(array: Array) -> Array:
    if array.dtype.kind not in "OUS":
        return array
    values = np.empty(array.shape, object)
    values.ravel()[:] = [str(value).encode() for value in array.ravel().tolist()]
    return values


def load(options: Options) -> OnnxModel:
    """Load a model; see `loading.load`."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    # Threads that spin between runs take the processor from whoever else is on this machine.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.add_session_config_entry("session.inter_op.allow_spinning", "0")
    available = onnxruntime.get_available_providers()
    shapes: dict[str, str] = {}
    if has_tensorrt(available, options.device):
        # Its shapes are said before there is a session; one for the CPU knows them.
        looked = onnxruntime.InferenceSession(str(options.path), settings, providers=[CPU])
        shapes = tensorrt_shapes(_signature(looked).inputs, options.max_batch)
        del looked
    providers = choose(
        available, device=options.device, memory_bytes=options.memory_bytes, shapes=shapes
    )
    if not providers:
        raise CannotLoad(f"this ONNX Runtime has no provider for a GPU; it has {available}")
    session = onnxruntime.InferenceSession(str(options.path), settings, providers=providers)
    log.info("providers of ONNX Runtime in use: %s", session.get_providers())
    return OnnxModel(session, _signature(session))


def _signature(session: onnxruntime.InferenceSession) -> Signature:
    inputs = tuple(_spec(node) for node in session.get_inputs())
    for node, spec in zip(session.get_inputs(), inputs, strict=True):
        if not spec.datatype:
            raise CannotLoad(f"input {spec.name!r} is a {node.type}; only tensors can be sent")
    outputs = [_spec(node) for node in session.get_outputs()]
    served = tuple(spec for spec in outputs if spec.datatype)
    if not served:
        raise CannotLoad(f"none of its outputs {[spec.name for spec in outputs]} is a tensor")
    if len(served) < len(outputs):
        log.warning("outputs that are no tensors are left out: %s", set(outputs) - set(served))
    return Signature(inputs, served)


def _spec(node: Any) -> TensorSpec:
    shape = tuple(length if isinstance(length, int) else -1 for length in node.shape)
    return TensorSpec(node.name, _DATATYPES.get(node.type, ""), shape)
