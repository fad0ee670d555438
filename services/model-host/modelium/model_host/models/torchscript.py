"""TorchScript archives (`.pt`, `.pth`).

An archive tells the names of its inputs, not their types and shapes: those are what somebody has
declared, and where nobody has, any tensor is tried and requests do not share runs.
"""

import warnings
from typing import Any

import torch

from modelium.model_host.errors import CannotLoad, InvalidInput, first_line
from modelium.model_host.models.torch_tensors import arrays_of, prepare, running, to_torch
from modelium.model_host.options import Options
from modelium.model_host.protocol.signature import Signature, declared
from modelium.model_host.protocol.tensors import Tensors, TensorSpec, datatype_of


class TorchScriptModel:
    """A TorchScript module."""

    platform = "pytorch_torchscript"
    sample = None
    admit = None

    def __init__(self, module: Any, signature: Signature, device: torch.device) -> None:
        self.signature = signature
        self._module = module
        self._device = device

    def run(self, inputs: Tensors) -> Tensors:
        """See `Model`."""
        arguments = [
            to_torch(
                inputs[spec.name], spec.datatype or datatype_of(inputs[spec.name]), self._device
            )
            for spec in self.signature.inputs
        ]
        try:
            with running():
                arrays = arrays_of(self._module(*arguments))
        except RuntimeError as error:
            if all(spec.shape and spec.datatype for spec in self.signature.inputs):
                raise
            # Nothing told us what fits, so the model is the first that can refuse.
            raise InvalidInput(f"the model refused these inputs: {cause(error)}") from error
        names = [spec.name for spec in self.signature.outputs]
        if len(names) != len(arrays):
            return arrays
        return dict(zip(names, arrays.values(), strict=True))


def cause(error: RuntimeError) -> str:
    """The line of a TorchScript error that says what was wrong; the rest is its call stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("RuntimeError:")]
    return causes[-1] if causes else first_line(error)


def load(options: Options) -> TorchScriptModel:
    """Load an archive; see `loading.load`."""
    device = prepare(options)
    with warnings.catch_warnings():
        # Deprecated for those who make archives; those that there are still have to be read.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            module = torch.jit.load(str(options.path), map_location=device).eval()
        except RuntimeError as error:
            raise CannotLoad(
                f"no TorchScript archive that torch can read: {cause(error)}"
            ) from error
    return TorchScriptModel(module, _signature(module, declared(options.signature)), device)


def _signature(module: Any, given: Signature | None) -> Signature:
    arguments = module.forward.schema.arguments[1:]  # the first is the module
    needed = [a for a in arguments if not a.has_default_value()]
    for argument in needed:
        if str(argument.type) not in ("Tensor", "Optional[Tensor]"):
            kind = f"{argument.name!r} is a {argument.type}"
            raise CannotLoad(f"inputs of its forward must be tensors; {kind}")
    if given is None or not given.inputs:
        outputs = given.outputs if given else ()
        return Signature(tuple(TensorSpec(argument.name) for argument in needed), outputs)
    if not len(needed) <= len(given.inputs) <= len(arguments):
        text = f"its forward takes {len(needed)} tensors, {len(given.inputs)} are declared"
        raise CannotLoad(text)
    return given
