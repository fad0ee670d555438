"""ONNX, TorchScript and exported programs: what they take and give, and what of them is refused."""

import shutil
import zipfile
from pathlib import Path

import onnx
import pytest

from modelium.common.descriptor import RuntimeKind, Task, TensorSpec
from modelium.watcher.analysis import analyse
from modelium.watcher.listing import Candidate, File

from ..corpus import made
from .files import SUPPORTED, TORCH, an_onnx_model, described, missing, reason, write_onnx

X = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))


def copied(name: str, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(TORCH / name, to))


def test_onnx_says_what_it_takes_and_gives(tmp_path: Path) -> None:
    found = described(write_onnx(tmp_path / "linear.onnx"))
    assert (found.format, found.task, found.runtime) == ("onnx", Task.TENSOR, RuntimeKind.RAY_SERVE)
    assert found.framework == "onnx opset 18, by pytorch 2.13"
    assert (found.parameters, found.weight_bytes_by_dtype) == (12, {"F32": 48})
    assert found.inputs == (X,)
    assert found.outputs == (TensorSpec(name="y", datatype="FP32", shape=(-1, 3)),)


def test_weights_beside_onnx_have_to_be_there_and_whole(tmp_path: Path) -> None:
    write_onnx(tmp_path / "m" / "model.onnx", external=True)
    assert reason(tmp_path / "m") == "model.onnx.data, which model.onnx names, is missing"
    (tmp_path / "m" / "model.onnx.data").write_bytes(bytes(47))
    assert reason(tmp_path / "m") == "model.onnx.data is shorter than model.onnx says"
    (tmp_path / "m" / "model.onnx.data").write_bytes(bytes(48))
    assert missing(tmp_path / "m") is None
    found = described(tmp_path / "m")
    assert (found.file, found.weight_bytes) == ("model.onnx", 48)


def test_onnx_with_weights_beside_it_needs_a_folder(tmp_path: Path) -> None:
    write_onnx(tmp_path / "model.onnx", external=True)
    (tmp_path / "model.onnx.data").write_bytes(bytes(48))
    assert "put both in a folder" in reason(tmp_path / "model.onnx")


def test_a_single_file_is_the_model_whatever_its_data_is_called(tmp_path: Path) -> None:
    made.write(tmp_path / "a.onnx", made.onnx_file(location="a.pt2"))
    made.write(tmp_path / "a.pt2", (TORCH / "exported.pt2").read_bytes())
    files = [tmp_path / "a.onnx", tmp_path / "a.pt2"]
    beside = tuple(File(it.name, it.stat().st_size, 1) for it in files)
    model = Candidate(str(files[0]), beside, is_file=True)
    assert analyse(model, SUPPORTED).format == "onnx"


def test_weights_deep_in_an_onnx_graph_count(tmp_path: Path) -> None:
    model = an_onnx_model()
    inner = onnx.helper.make_graph([], "then", [], [], [model.graph.initializer[0]])
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("then_branch", inner))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert described(tmp_path / "m.onnx").parameters == 24


def test_operators_that_nothing_here_has_are_named(tmp_path: Path) -> None:
    write_onnx(tmp_path / "m.onnx", domain="com.acme")
    assert "operators of com.acme" in reason(tmp_path / "m.onnx")
    write_onnx(tmp_path / "n.onnx", domain="com.microsoft")
    assert described(tmp_path / "n.onnx").task is Task.TENSOR


@pytest.mark.parametrize("name", ["scripted.pt", "traced.pt", "exported.pt2"])
@pytest.mark.parametrize("kept", [0, 10, 500, 1500])
def test_a_program_that_is_still_copied_is_waited_for(tmp_path: Path, name: str, kept: int) -> None:
    (tmp_path / name).write_bytes((TORCH / name).read_bytes()[:kept])
    whole = missing(tmp_path / name)
    assert whole is None or "incomplete" in whole
    assert reason(tmp_path / name)


def test_onnx_that_is_cut_is_waited_for(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx")
    content = path.read_bytes()
    for kept in (0, 3, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:kept])
        assert "incomplete" in str(missing(path)), kept


def test_a_traced_program_knows_its_input_by_what_it_was_traced_with(tmp_path: Path) -> None:
    found = described(copied("traced.pt", tmp_path / "net.pt"))
    assert (found.format, found.architecture) == ("torchscript", "Plain")
    assert (found.inputs, found.missing) == ((X,), ())
    assert (found.parameters, found.weight_bytes_by_dtype) == (18, {"F32": 60, "I64": 24})
    assert found.dtype == "F32"


def test_a_scripted_program_knows_names_only(tmp_path: Path) -> None:
    found = described(copied("scripted.pt", tmp_path / "folder" / "net.pth").parent)
    assert found.inputs == (TensorSpec(name="x", datatype=""),)  # the mask may be left out
    assert [it.name for it in found.outputs] == ["output_0", "output_1"]
    assert found.file == "net.pth"
    assert "`inputs` in model.yaml" in found.missing[0]


def test_a_program_whose_input_is_no_tensor_is_refused(tmp_path: Path) -> None:
    why = reason(copied("listed.pt", tmp_path / "listed.pt"))
    assert "the input parts of listed.pt is a List[Tensor], which no request can carry" in why


def test_an_exported_program_says_all(tmp_path: Path) -> None:
    found = described(copied("exported.pt2", tmp_path / "net.pt2"))
    assert (found.format, found.task) == ("pt2", Task.TENSOR)
    assert found.inputs == (X,)
    assert found.outputs == (TensorSpec(name="mul", datatype="FP32", shape=(-1, 3)),)
    assert (found.parameters, found.weight_bytes_by_dtype) == (18, {"F32": 60, "I64": 24})


def test_compiled_and_older_programs_are_refused(tmp_path: Path) -> None:
    for entry, why in (
        ("net/data/aotinductor/model/c.so", "holds machine code"),
        ("net/serialized_exported_program.json", "of an older torch.export"),
    ):
        with zipfile.ZipFile(tmp_path / "net.pt2", "w") as archive:
            archive.writestr(entry, "")
        assert why in reason(tmp_path / "net.pt2")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("state.pt", "holds 3 tensors (a state dict) and no program"),
        ("whole.pt", "is a pickled object of __main__.Plain, code that is not here"),
        ("legacy.pth", "is a pickle, which runs code when it is loaded"),
    ],
)
def test_pickles_are_refused_with_what_to_do(tmp_path: Path, name: str, why: str) -> None:
    told = reason(copied(name, tmp_path / name))
    assert why in told
    assert "torch.export.save" in told


def test_a_folder_holds_one_program(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        write_onnx(tmp_path / "m" / name)
    assert "it has 2 .onnx files (a.onnx, b.onnx" in reason(tmp_path / "m")
