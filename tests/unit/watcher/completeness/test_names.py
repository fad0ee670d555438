"""Names of unfinished files, and of parts."""

import pytest

from modelium.watcher.completeness.names import (
    absent_parts,
    is_unfinished,
    is_unfinished_beside,
    is_unfinished_in,
)


@pytest.mark.parametrize(
    ("name", "unfinished"),
    [
        ("a.part", True),
        ("a.PARTIAL", True),
        ("a.safetensors.tmp", True),
        ("a.incomplete", True),
        ("a.crdownload", True),
        ("a.lock", True),
        ("a.gguf.aria2", True),
        ("a.gguf.!qB", True),
        (".model.safetensors.Xk3PqZ", True),  # rsync
        (".LICENSE.a1b2c3", True),
        (".com.google.Chrome.7fGh2K", True),
        ("model.safetensors.6eF3A5b1", True),  # the command line of AWS
        ("apart", False),
        ("model.safetensors", False),
        ("uv.lock", False),
        (".gitattributes", False),
        (".eslintrc.config", False),
        (".model.sha256", False),
        ("model.fp16.safetensors", False),
    ],
)
def test_unfinished_things_are_known_by_their_names(name: str, unfinished: bool) -> None:
    assert is_unfinished(name) is unfinished


@pytest.mark.parametrize(
    ("path", "unfinished"),
    [
        (".git/index.lock", True),
        (".git/modules/a/index.lock", True),
        (".git/lfs/incomplete/abc.part", False),
        (".git/objects/pack/tmp_pack_Ab12Cd", False),
        (".cache/huggingface/download/model.safetensors.lock", False),
        (".cache/huggingface/download/abc.incomplete", True),
        ("onnx/.model.onnx.Xk3PqZ", True),
        (".~tmp~/model.safetensors", True),
        (".rsync-partial/model.safetensors", True),
        ("model.safetensors.download/Info.plist", True),
        ("onnx/model.onnx", False),
    ],
)
def test_where_a_file_lies_says_whether_its_name_counts(path: str, unfinished: bool) -> None:
    assert is_unfinished_in(path) is unfinished


@pytest.mark.parametrize(
    ("other", "unfinished"),
    [
        ("x.gguf.aria2", True),
        (".x.gguf.Ab12Cd", True),
        ("x.gguf.part", True),
        ("y.gguf.aria2", False),
        ("x.gguf", False),
    ],
)
def test_a_single_file_is_unfinished_while_its_other_half_is_beside_it(
    other: str, unfinished: bool
) -> None:
    assert is_unfinished_beside("x.gguf", [other, "x.gguf"]) is unfinished


def test_parts_that_others_count_are_named() -> None:
    there = ["a-00001-of-00003.gguf", "a-00003-of-00003.gguf", "b.gguf"]
    assert absent_parts(there) == ["a-00002-of-00003.gguf"]
    assert absent_parts(["a-00001-of-99999.gguf"]) == []
