"""A small ONNX model for tests, and what it computes."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float32]
WEIGHTS: Array = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


def write_linear(path: Path, *, weights_in: str = "") -> None:
    """`y = tanh(x @ WEIGHTS)`, for any number of rows of `x`; the weights may lie beside."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 6])]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Tanh", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(WEIGHTS, "w")])
    opset = [helper.make_opsetid("", 17)]
    beside = {"save_as_external_data": True, "location": weights_in, "size_threshold": 0}
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.save(model, path, **(beside if weights_in else {}))
