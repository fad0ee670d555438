"""What a person says in a model's own file: obeyed, or refused with what was expected."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from modelium.common.descriptor import Overrides, RuntimeKind, Task, TensorSpec
from modelium.watcher.formats.engine_args import ALLOWED
from modelium.watcher.formats.overrides import name_of

from .. import models
from .files import TORCH, candidate, described, reason, write_onnx


def write_model(folder: Path, said: Any, name: str = "model.yaml") -> Path:
    models.write_model(folder)
    (folder / name).write_text(
        said if isinstance(said, str) else yaml.safe_dump(said, sort_keys=False)
    )
    return folder


def test_everything_that_may_be_said(tmp_path: Path) -> None:
    said = {
        "name": "tiny",
        "alias": ["small", "gpt-4o-mini", "small"],
        "task": "completion",
        "runtime": "vllm",
        "context": 1024,
        "pin": True,
        "replicas": 2,
        "engine_args": {"max_num_seqs": 8, "--enable-prefix-caching": False, "dtype": "bfloat16"},
    }
    folder = write_model(tmp_path / "qwen", said)
    found = described(folder)
    assert found.task is Task.COMPLETION
    assert found.overrides == Overrides(
        name="tiny",
        aliases=("small", "gpt-4o-mini"),
        task=Task.COMPLETION,
        runtime=RuntimeKind.VLLM,
        context=1024,
        pin=True,
        replicas=2,
        engine_args=("--max-num-seqs", "8", "--no-enable-prefix-caching", "--dtype", "bfloat16"),
    )
    assert name_of(candidate(folder)) == "tiny"


@pytest.mark.parametrize("said", ["", "# nothing yet\n"])
def test_an_empty_file_changes_nothing(tmp_path: Path, said: str) -> None:
    folder = write_model(tmp_path / "qwen", said)
    assert described(folder).overrides == Overrides()
    assert name_of(candidate(folder)) is None


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert described(models.write_model(tmp_path / "qwen")).overrides is None


def test_a_single_file_has_its_own_beside_it(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.yaml").write_text("alias: linear\npin: true")
    assert described(path).overrides == Overrides(aliases=("linear",), pin=True)


def test_inputs_are_said_for_a_program_that_does_not_know_them(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "net.pt").write_bytes((TORCH / "scripted.pt").read_bytes())
    inputs = [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    (tmp_path / "net" / "model.yaml").write_text(yaml.safe_dump({"inputs": inputs}))
    found = described(tmp_path / "net")
    assert found.inputs == (TensorSpec(name="x", datatype="FP32", shape=(-1, 4)),)
    assert found.missing == ()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"contxt": 5}, "model.yaml: contxt: no such key; expected is one of name, alias, task"),
        ({"context": "4k"}, "model.yaml: context: input should be a valid integer, not '4k'"),
        ({"context": 0}, "model.yaml: context: input should be greater than or equal to 1"),
        ({"context": 4096}, "model.yaml: context: at most the model's own, 2048, is expected"),
        ({"pin": "yes please"}, "model.yaml: pin: input should be a valid boolean"),
        ({"name": "a b"}, "model.yaml: name: string should match pattern"),
        ({"runtime": "triton"}, "model.yaml: runtime: input should be 'vllm' or 'ray_serve'"),
        ({"replicas": 1.5}, "model.yaml: replicas: input should be a valid integer"),
        ({"inputs": [{"name": "x", "datatype": "float", "shape": []}]}, "inputs.0.datatype"),
        (
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [], "kind": 1}]},
            "expected is one of name, datatype, shape",
        ),
        ({"engine_args": {"trust-remote-code": True}}, "engine_args.trust-remote-code: may not"),
        ({"engine_args": {"port": 1}}, "engine_args.port: may not be set; expected is one of"),
        ({"engine_args": {"max-num-seqs": "8; rm"}}, "a whole number from 1 to 64 is expected"),
        (
            {"engine_args": {"max-num-seqs": 65}},
            "a whole number from 1 to 64 is expected, not '65'",
        ),
        ({"engine_args": {"max-num-batched-tokens": 8193}}, "from 1 to 8192 is expected"),
        ({"engine_args": {"seed": True}}, "a whole number from 1 is expected, not 'True'"),
        ({"engine_args": {"dtype": "--host"}}, "engine_args.dtype: one of auto, bfloat16, float16"),
        ({"engine_args": {"dtype": "float32"}}, "half is expected, not 'float32'"),
        ({"engine_args": {"quantization": "--host"}}, "engine_args.quantization: a word is"),
        ({"engine_args": {"enforce-eager": "on"}}, "true or false is expected, not 'on'"),
        ("[1, 2]", "model.yaml: keys with values are expected"),
        ("pin: true\na: [b\nc: d", "model.yaml is no YAML (line 3)"),
        ("!!python/object/apply:os.system ['true']", "model.yaml "),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(tmp_path: Path, said: Any, why: str) -> None:
    folder = write_model(tmp_path / "qwen", said)
    assert why in reason(folder)


def test_two_such_files_are_one_too_many(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "qwen", {"pin": True})
    (folder / "modelium.yaml").write_text("pin: false")
    assert "it has both modelium.yaml and model.yaml" in reason(folder)


def test_the_page_of_models_lists_what_may_be_said() -> None:
    page = (TORCH.parents[2] / "docs" / "models.md").read_text()
    table = page.partition("## `model.yaml`")[2]
    keys = {"name", "alias", "task", "runtime", "context", "pin", "replicas", "engine_args"}
    for word in (*keys, "inputs", "outputs", *ALLOWED):
        assert f"`{word}`" in table, word


SIXTIES = "1" + ":59" * 200 + ".5"
HEXADECIMAL = "0x" + "f" * 5000


@pytest.mark.parametrize("number", [SIXTIES, HEXADECIMAL, f"-{HEXADECIMAL}"])
@pytest.mark.parametrize("key", ["context", "name", "pin", "replicas"])
def test_numbers_beyond_all_are_refused(tmp_path: Path, key: str, number: str) -> None:
    folder = write_model(tmp_path / "qwen", f"{key}: {number}")
    assert name_of(candidate(folder)) is None
    assert "model.yaml" in reason(folder)


def test_a_key_that_is_a_number_beyond_all_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "qwen", f"{HEXADECIMAL}: 1")
    assert name_of(candidate(folder)) is None
    assert "model.yaml" in reason(folder)
