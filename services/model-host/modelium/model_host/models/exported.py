"""Programs of torch.export (`.pt2`).

An archive tells everything: names, types, shapes, and which dimensions may vary within which
bounds. A batch dimension that was not exported as dynamic stays what it is.
"""

from typing import Any

import torch
from torch.utils import _pytree as pytree

from modelium.model_host.errors import CannotLoad, InvalidInput, first_line
from modelium.model_host.models.torch_tensors import (
    DATATYPES,
    arrays_of,
    named,
    prepare,
    running,
    to_torch,
)
from modelium.model_host.options import Options
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import Tensors, TensorSpec


class ExportedModel:
    """The module of an exported program."""

    platform = "pytorch_export"
    sample = None
    admit = None

    def __init__(
        self, module: Any, call: pytree.TreeSpec, signature: Signature, device: torch.device
    ) -> None:
        self.signature = signature
        self._module = module
        self._call = call
        self._device = device

    def run(self, inputs: Tensors) -> Tensors:
        """See `Model`."""
        flat = [to_torch(inputs[s.name], s.datatype, self._device) for s in self.signature.inputs]
        arguments, named_arguments = pytree.tree_unflatten(flat, self._call)
        try:
            with running():
                return arrays_of(self._module(*arguments, **named_arguments))
        except AssertionError as error:
            # What the program was exported for is checked by the program itself.
            raise InvalidInput(f"the inputs do not fit: {first_line(error)}") from error


def load(options: Options) -> ExportedModel:
    """Load a program; see `loading.load`."""
    device = prepare(options)
    program = torch.export.load(options.path)
    if device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    return ExportedModel(program.module(), program.call_spec.in_spec, _signature(program), device)


def _signature(program: Any) -> Signature:
    nodes = {node.name: node for node in program.graph.nodes}
    inputs = [nodes.get(str(name)) for name in program.graph_signature.user_inputs]
    [end] = [node for node in program.graph.nodes if node.op == "output"]
    results = end.args[0][-len(program.graph_signature.user_outputs) :]
    places = named(pytree.tree_unflatten(list(results), program.call_spec.out_spec))
    given = [_spec(node.name if node else "a constant", node) for node in inputs]
    gives = [_spec(name, node) for name, node in places.items() if node is not None]
    low, high = _bounds(program, inputs[0]) if inputs else (1, 0)
    return Signature(tuple(given), tuple(gives), low, high)


def _spec(name: str, node: Any) -> TensorSpec:
    value = node.meta.get("val") if isinstance(node, torch.fx.Node) else None
    if not isinstance(value, torch.Tensor):
        raise CannotLoad(f"{name!r} of the program is no tensor")
    shape = tuple(length if isinstance(length, int) else -1 for length in value.shape)
    return TensorSpec(name, DATATYPES.get(value.dtype, ""), shape)


def _bounds(program: Any, node: Any) -> tuple[int, int]:
    """The fewest and the most rows; 0 for the most: any number."""
    shape = node.meta["val"].shape
    if not shape or isinstance(shape[0], int):
        return 1, 0
    bounds = program.range_constraints.get(shape[0].node.expr)
    if bounds is None:
        return 1, 0
    high = int(bounds.upper) if bounds.upper.is_Integer else 0
    return max(1, int(bounds.lower)), high
