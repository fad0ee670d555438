"""Real watch directories: links, single files with others beside them, and clones."""

from pathlib import Path
from random import Random

import pytest

from modelium.common.descriptor import Task
from modelium.common.errors import InvalidModel
from modelium.watcher.filesystem import ModelFolders
from modelium.watcher.listing import Candidate

from . import files, models
from .analysts import InThisProcess


@pytest.fixture
def root(tmp_path: Path) -> Path:
    watched = tmp_path / "models"
    watched.mkdir()
    return watched


def folders(root: Path, *, links_outside: bool = False) -> ModelFolders:
    return ModelFolders(
        [root],
        supported=(".safetensors", ".onnx"),
        read_by_others=False,
        analyst=InThisProcess(),
        links_outside=links_outside,
    )


async def listed(root: Path) -> dict[str, Candidate]:
    found = await folders(root).listing()
    return {Path(path).name: candidate for path, candidate in found.candidates.items()}


async def test_links_out_of_the_watch_directory_are_not_followed(
    root: Path, tmp_path: Path
) -> None:
    outside = models.write_model(tmp_path / "elsewhere")
    (root / "linked").symlink_to(outside)
    inner = models.write_model(root / "qwen")
    (inner / "config.json").unlink()
    (inner / "config.json").symlink_to(outside / "config.json")
    for name in ("linked", "qwen"):
        candidate = (await listed(root))[name]
        assert (await folders(root).inspect(candidate)).missing is None
        with pytest.raises(InvalidModel, match="leads out of the watch directory"):
            await folders(root).analyse(candidate)


async def test_links_out_of_the_watch_directory_are_followed_where_that_is_allowed(
    root: Path, tmp_path: Path
) -> None:
    outside = models.write_model(tmp_path / "elsewhere")
    (root / "linked").symlink_to(outside)
    inner = models.write_model(root / "qwen")
    (inner / "config.json").unlink()
    (inner / "config.json").symlink_to(outside / "config.json")
    watched = folders(root, links_outside=True)
    found = (await watched.listing()).candidates.values()
    assert [candidate.leaves for candidate in found] == [None, None]
    for candidate in found:
        assert (await watched.analyse(candidate)).task is Task.CHAT


async def test_a_single_file_waits_for_its_other_half(root: Path) -> None:
    (root / "x.onnx").write_bytes(files.onnx(Random(1)))
    (root / "x.onnx.aria2").touch()
    assert (await listed(root))["x.onnx"].unfinished
    (root / "x.onnx.aria2").rename(root / "y.onnx.aria2")
    assert not (await listed(root))["x.onnx"].unfinished


async def test_onnx_beside_the_file_it_names_is_one_model_of_both(root: Path) -> None:
    (root / "x.onnx").write_bytes(files.onnx(Random(1), location="w.bin", length=4))
    (root / "w.bin").write_bytes(b"1234")
    watched = folders(root)
    seen = [await watched.listing() for _ in range(3)]
    names = [[file.path for file in it.candidates[f"{root}/x.onnx"].files] for it in seen]
    assert names == [["x.onnx"], ["x.onnx", "w.bin"], ["x.onnx", "w.bin"]]
    verdict = await watched.inspect(seen[2].candidates[f"{root}/x.onnx"])
    assert (verdict.missing, verdict.doubt) == (None, None)
    assert (await watched.look(f"{root}/x.onnx")).fingerprint == verdict.fingerprint
    (root / "w.bin").unlink()
    (last,) = (await watched.listing()).candidates.values()
    assert (await watched.inspect(last)).missing == "w.bin, where x.onnx keeps tensors, is missing"


async def test_a_clone_is_unfinished_while_git_writes_it(root: Path) -> None:
    folder = models.write_model(root / "qwen")
    (folder / ".git" / "objects").mkdir(parents=True)
    (folder / ".git" / "index.lock").touch()
    assert (await listed(root))["qwen"].unfinished
    (folder / ".git" / "index.lock").unlink()
    found = (await listed(root))["qwen"]
    assert not found.unfinished
    assert ".git" not in {file.path.split("/")[0] for file in found.files}


async def test_links_that_stay_inside_or_lead_nowhere_do_no_harm(root: Path) -> None:
    folder = models.write_model(root / "qwen")
    (root / "alias").symlink_to(folder)
    (root / "nowhere").symlink_to(root / "absent")
    (root / "loop").symlink_to(root / "loop")
    (folder / "round").symlink_to(root)
    assert sorted(await listed(root)) == ["alias", "qwen"]
    alias = (await listed(root))["alias"]
    assert (await folders(root).analyse(alias)).task is Task.CHAT
