"""Real folders and files: what is missing in them, and what is doubtful."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from modelium.watcher.completeness.effort import Effort
from modelium.watcher.completeness.judge import Judgement, judge
from modelium.watcher.completeness.parts import weight_files
from modelium.watcher.completeness.writers import is_being_written
from modelium.watcher.folders import Lister, Rules
from modelium.watcher.listing import Candidate, File

from .. import files, models
from ..transfers import tells_holes, tells_writers

ENDINGS = (".safetensors", ".gguf", ".onnx", ".pt", ".pth", ".pt2")
FIRST = "model-00001-of-00002.safetensors"


def judged(path: Path) -> Judgement:
    """What a watcher of the folder above thinks of it."""
    candidate = Lister(Rules(ENDINGS, read_by_others=False)).named(path, path.parent)
    assert candidate is not None
    return judge(candidate)


def folder_of(tmp_path: Path, **contents: bytes | str) -> Path:
    """A folder with these files; `__` in a name stands for a dot."""
    folder = tmp_path / "models" / "it"
    for name, content in contents.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def without(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder


def pooling(tmp_path: Path, *, with_settings: bool) -> Path:
    folder = models.write_model(tmp_path / "models" / "it")
    modules = [
        {"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    if with_settings:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text("{}")
    return folder


WHOLE: dict[str, Callable[[Path], Path]] = {
    "a chat model": lambda at: models.write_model(at / "models" / "it"),
    "a chat model in parts": lambda at: models.write_sharded_model(at / "models" / "it"),
    "an adapter": lambda at: folder_of(
        at, adapter_config__json="{}", adapter_model__safetensors=files.safetensors(Random(1))
    ),
    "an exported program": lambda at: folder_of(at, model__pt2=files.archive(Random(1))),
    "sentence-transformers": lambda at: pooling(at, with_settings=True),
    "a checkpoint with what it was trained with": lambda at: (
        models.write_model(at / "models" / "it"),
        folder_of(at, optimizer__pt=b"cut"),
    )[1],
    "ONNX and the file it names": lambda at: folder_of(
        at, model__onnx=files.onnx(Random(1), location="w.data", length=4), w__data=b"1234"
    ),
    "ONNX that names a file elsewhere, for the analysis to refuse": lambda at: folder_of(
        at, model__onnx=files.onnx(Random(1), location="../w.data", length=4)
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_whole_models_lack_nothing(tmp_path: Path, case: str) -> None:
    assert judged(WHOLE[case](tmp_path)) == Judgement()


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
MISSING: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing that says what it is": (
        lambda at: folder_of(at, a__safetensors=files.safetensors(Random(1))),
        "config.json is missing",
    ),
    "a part that only the names of others count": (
        lambda at: folder_of(at, **{"q-00002-of-00003__gguf": b"", "q-00003-of-00003__gguf": b""}),
        "q-00001-of-00003.gguf is missing (1 of 3 weight files): copy it as well",
    ),
    "an index without weights": (
        lambda at: folder_of(
            at,
            model__safetensors__index__json=json.dumps({"weight_map": {"a": FIRST}}),
            config__json="{}",
        ),
        f"{FIRST} is missing (1 of 1 weight files): copy it as well",
    ),
    "the settings of a module": (
        lambda at: pooling(at, with_settings=False),
        "1_Pooling/config.json is missing: copy it as well",
    ),
    "a module's weights": (
        lambda at: (
            pooling(at, with_settings=True),
            folder_of(at, **{"3_Dense/model__safetensors": files.safetensors(Random(1))[:-1]}),
        )[1],
        "3_Dense/model.safetensors is incomplete or damaged: it has 3056 of the 3057 bytes that "
        "its header says",
    ),
    "a tokenizer": (
        lambda at: without(models.write_model(at / "models" / "it"), "tokenizer.json"),
        "its tokenizer is missing (tokenizer.json): copy it as well",
    ),
    "a tokenizer that is cut": (
        lambda at: (
            models.write_model(at / "models" / "it"),
            folder_of(at, tokenizer__json='{"model": {"vocab": {"a": 1}'),
        )[1],
        "tokenizer.json is incomplete or damaged: it ends in the middle",
    ),
    "weights that Git LFS has not fetched": (
        lambda at: folder_of(at, config__json="{}", model__safetensors=LFS),
        "model.safetensors is only Git LFS' pointer to the file: run git lfs pull in its folder",
    ),
    "what ONNX keeps outside": (
        lambda at: folder_of(at, model__onnx=files.onnx(Random(1), location="w.data", length=4)),
        "w.data, where model.onnx keeps tensors, is missing",
    ),
    "some of what ONNX keeps outside": (
        lambda at: folder_of(
            at, model__onnx=files.onnx(Random(1), location="w.data", length=4), w__data=b"123"
        ),
        "w.data, where model.onnx keeps tensors, has 3 of 4 bytes",
    ),
    "an archive's end": (
        lambda at: folder_of(at, model__pt=files.archive(Random(1))[:-1]),
        "model.pt is incomplete or damaged: it has no whole directory of a zip at its end "
        "(File is not a zip file)",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_is_named(tmp_path: Path, case: str) -> None:
    make, reason = MISSING[case]
    assert judged(make(tmp_path)) == Judgement(missing=reason)


def test_parts_without_their_list_are_doubtful(tmp_path: Path) -> None:
    folder = models.write_sharded_model(tmp_path / "it")
    (folder / "model.safetensors.index.json").unlink()
    assert "no *.safetensors.index.json" in str(judged(folder).doubt)


def test_weights_that_end_in_zeros_are_doubtful(tmp_path: Path) -> None:
    folder = models.write_model(tmp_path / "it")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-8] + bytes(8))
    assert judged(folder) == Judgement(
        doubt="model.safetensors begins or ends with zeros, as one that is not written yet"
    )


def test_a_hole_is_doubtful_wherever_it_is(tmp_path: Path) -> None:
    if not tells_holes(tmp_path):
        pytest.skip("this file system does not tell holes")
    folder = models.write_model(tmp_path / "it")
    length = 1 << 20
    header = json.dumps({"a": {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}})
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header.encode() + b"\x01" * 9000)
        file.seek(8 + len(header) + length - 9000)
        file.write(b"\x01" * 9000)
    assert judged(folder).doubt == "model.safetensors has a part that was never written"


def test_a_file_that_somebody_writes_is_doubtful_until_it_is_closed(tmp_path: Path) -> None:
    if not tells_writers(tmp_path):
        pytest.skip("this file system does not tell who writes")
    folder = models.write_model(tmp_path / "it")
    with (folder / "model.safetensors").open("r+b"):
        assert judged(folder).doubt == "somebody has model.safetensors open for writing"
    assert judged(folder) == Judgement()


def test_looking_for_writers_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    assert not is_being_written(tmp_path / "a")
    file = os.open(tmp_path / "a", os.O_WRONLY | os.O_NONBLOCK)
    os.close(file)
    assert not is_being_written(tmp_path / "absent")


STRINGS = b"[" + b'"",' * 4_500_000 + b'""]'
FIELDS = b"\x08\x08\x3a\x00\x42\x00" + b"\x78\x00" * 150_000
"""Two bytes each, of a number that ONNX does not have."""
KEYS = b"GGUF" + struct.pack("<IQQ", 3, 0, 3_900_000)


def list_of_tensors(text: bytes) -> dict[str, bytes]:
    name = "model.safetensors.index.json"
    return {"config.json": b"{}", "model.safetensors": b"", name: text}


@pytest.mark.parametrize(
    ("case", "contents"),
    [
        ("files of many fields, none of them too large", {f"{n}.onnx": FIELDS for n in range(5)}),
        ("more keys than any vocabulary", {"a.gguf": KEYS}),
        ("strings without an end", {"a.gguf": b"GGUF", "tokenizer.json": STRINGS}),
        ("a list of lists", list_of_tensors(b"[" + b"[]," * 1_100_000 + b"[]]")),
    ],
)
def test_a_model_that_would_take_long_to_judge_is_doubtful(
    tmp_path: Path, case: str, contents: dict[str, bytes]
) -> None:
    """Its analysis tells, which is bounded in time: the watcher's own process has others to see."""
    folder = tmp_path / "models" / "it"
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    found = judged(folder)
    assert (found.missing, found.written) == (None, None)
    assert found.doubt == "it has more to read through than is read before its analysis"


def test_the_largest_lists_of_real_models_are_read() -> None:
    """As many tensors as the models with most experts have, and a vocabulary with its merges."""
    effort = Effort()
    tensor = (
        b'"model.layers.60.mlp.experts.383.down_proj.weight": "model-00001-of-00061.safetensors"'
    )
    shards = b'{"weight_map": {' + tensor.ljust(100) * 160_000 + b"}}"
    effort.scan_json(shards)
    effort.parse_json(shards)
    effort.scan_json(b"[" + b'["123", "ab"],' * 514_000 + b"]")


def test_many_weight_files_in_one_folder_are_told_apart_quickly(tmp_path: Path) -> None:
    """Comparing each with each took minutes."""
    many = tuple(File(f"{n}.{kind}", 0, 0) for n in range(20_000) for kind in ("safetensors", "pt"))
    found = weight_files(Candidate("/models/it", (File("config.json", 2, 0), *many)))
    assert len(found) == 20_000
