"""Model files as their own libraries write them, and how they are described."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modelium.common.descriptor import Descriptor
from modelium.common.errors import InvalidModel
from modelium.common.settings import ModelDiscovery
from modelium.watcher import analysis
from modelium.watcher.completeness.judge import judge
from modelium.watcher.listing import Candidate, File

SUPPORTED = ModelDiscovery().supported_extensions
TORCH = Path(__file__).parents[3] / "fixtures" / "torch"


def candidate(path: Path) -> Candidate:
    """What lies there, as the listing would say it."""
    if path.is_dir():
        found = [p for p in sorted(path.rglob("*")) if p.is_file()]
        files = tuple(File(str(p.relative_to(path)), p.stat().st_size, 1) for p in found)
        return Candidate(str(path), files)
    beside = [p for p in (path, path.with_name(f"{path.name}.yaml")) if p.exists()]
    files = tuple(File(p.name, p.stat().st_size, 1) for p in beside)
    return Candidate(str(path), files, is_file=True)


def described(path: Path) -> Descriptor:
    return analysis.analyse(candidate(path), SUPPORTED)


def missing(path: Path) -> str | None:
    return judge(candidate(path)).missing


def reason(path: Path) -> str:
    with pytest.raises(InvalidModel) as refusal:
        described(path)
    return refusal.value.reason


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def write_gguf(path: Path, *, words: int = 8, architecture: str = "qwen2", **more: Any) -> Path:
    """A small language model; `more` are further keys with their values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(4096)
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_token_list([f"word{n}" for n in range(words)])
    writer.add_token_types([1] * words)
    for key, value in more.items():
        getattr(writer, key)(value)
    half = np.zeros((8, 64), dtype=np.float16)
    writer.add_tensor("token_embd.weight", half)
    writer.add_tensor("norm.weight", np.zeros(64, dtype=np.float32))
    quantised = np.zeros((4, 34), dtype=np.uint8)  # 4 rows of one Q8_0 block of 32 weights
    writer.add_tensor("output.weight", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def an_onnx_model(*, external: bool = False, domain: str = "") -> onnx.ModelProto:
    """`y = x · w` with any number of rows."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, (4, 3), bytes(48), raw=True)
    if external:
        onnx.external_data_helper.set_external_data(weights, "model.onnx.data", 0, 48)
        weights.ClearField("raw_data")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], domain=domain)],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 3))],
        [weights],
    )
    opsets = [helper.make_opsetid("", 18)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(
        graph, opset_imports=opsets, producer_name="pytorch", producer_version="2.13"
    )


def write_onnx(path: Path, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(an_onnx_model(**how).SerializeToString())
    return path
