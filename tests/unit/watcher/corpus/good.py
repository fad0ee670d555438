"""Odd files that honest people have: each is accepted."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onnx import helper

from tests.unit.watcher import models

from . import made
from .cases import Case
from .made import array, call, folder, gguf, key, number, onnx_file, safetensors, tensor, text

TRANSFORMER = "sentence_transformers.models."
LOOPING = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}{{ m.content | trim }}{% endfor %}"
    "{% set ns = namespace(found=false) %}{{ raise_exception('no') if ns.found else '' }}"
)


def hf(name: str, files: dict[str, Any] | None = None, **config: Any) -> Case:
    return Case(name, lambda root: folder(root / "m", files or {}, **config))


def made_by(name: str, change: Callable[[Path], object], where: str = "m") -> Case:
    def make(root: Path) -> Path:
        path = folder(root / where)
        change(path)
        return path

    return Case(name, make)


def linked(path: Path) -> None:
    """As in a cache of downloads: the weights lie elsewhere in the watch directory."""
    blobs = path.parent / ".blobs"
    blobs.mkdir()
    (path / "model.safetensors").rename(blobs / "0a1b")
    (path / "model.safetensors").symlink_to("../.blobs/0a1b")


def padded() -> bytes:
    """safetensors fills its header up with blanks."""
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": tensor()}).encode()
    return safetensors(header + b" " * (-len(header) % 8))


def many_tensors() -> bytes:
    said = {f"layers.{n}.weight": tensor(4 * n, 4 * n + 4, shape=(1,)) for n in range(20_000)}
    return safetensors(said, 80_000)


FOLDERS = [
    hf("a chat model"),
    hf("a model without a chat template", {"tokenizer_config.json": {}}),
    hf("a model without a tokenizer's config", {"tokenizer_config.json": None}),
    Case("weights in parts", lambda root: models.write_sharded_model(root / "m")),
    hf("pickles beside safetensors", {"pytorch_model.bin": call("os", "system")}),
    hf(
        "what training leaves",
        {"training_args.bin": call("a", "B"), "optimizer.pt": b"x", "rng_state.pth": b"y"},
    ),
    hf("Python files that nobody asks for", {"modeling_x.py": "import os", "example.py": "1"}),
    hf("an empty auto_map", auto_map={}),
    hf("no auto_map, said", auto_map=None),
    hf("numbers that are none", rope_theta=float("inf"), initializer_range=float("nan")),
    hf("sizes in an inner config", text_config=models.CONFIG),
    hf("unknown keys, nested", quantization_config={"a": [{"b": {"c": [1, 2, {"d": None}]}}]}),
    hf("a template with loops and filters", {"chat_template.jinja": LOOPING}),
    hf(
        "several templates",
        {"tokenizer_config.json": {"chat_template": [{"name": "default", "template": LOOPING}]}},
    ),
    hf("a tokenizer of 20 MB", {"tokenizer.json": json.dumps({f"w{n}": n for n in range(10**6)})}),
    hf("a tokenizer with a word twice", {"vocab.json": '{"a": 1, "a": 2}'}),
    hf("texts, pictures and licences", {"README.md": "# x", "a.png": b"\x89PNG", "LICENSE": "x"}),
    hf("results that are no JSON", {"eval_results.json": "nan,", "trainer_state.json": "{oops}"}),
    hf("a cache of a downloader", {".cache/huggingface/.gitignore": "*", ".gitattributes": "*"}),
    hf("half a copy in a folder that nobody loads", {"original/x.safetensors": b"version https:"}),
    hf("an export to ONNX below", {"onnx/model.onnx": b"not looked at"}),
    hf(
        "a config written on Windows",
        {"config.json": json.dumps(models.CONFIG).replace(",", ",\r\n")},
    ),
    made_by("a name with blanks and umlauts", lambda path: path, where="mein Modell (größer)"),
    made_by("weights that are a link within", linked),
    hf("metadata and blanks in the header", {"model.safetensors": padded()}),
    hf("20,000 tensors", {"model.safetensors": many_tensors()}),
    hf(
        "empty tensors and single numbers",
        {
            "model.safetensors": safetensors(
                {"none": tensor(0, 0, shape=(0, 4)), "one": tensor(0, 4, shape=())}, 4
            )
        },
    ),
    hf(
        "tensors of eight bits",
        {"model.safetensors": safetensors({"w": tensor(0, 64, "F8_E4M3", (64,))})},
    ),
    hf(
        "tensors with names of any letters",
        {"model.safetensors": safetensors({"模型.größe": tensor()})},
    ),
    hf(
        "a classifier",
        architectures=["BertForSequenceClassification"],
        id2label={"0": "a", "1": "b"},
    ),
    hf("settings of a person", {"model.yaml": "context: 1024\nalias: [small]\npin: false\n"}),
    hf("settings with remarks only", {"modelium.yaml": "# nothing yet\n"}),
    hf(
        "sentence-transformers",
        {
            "modules.json": [
                {"idx": 0, "name": "0", "path": "", "type": TRANSFORMER + "Transformer"},
                {"idx": 1, "name": "1", "path": "1_Pooling", "type": TRANSFORMER + "Pooling"},
            ],
            "1_Pooling/config.json": {
                "word_embedding_dimension": 64,
                "pooling_mode_mean_tokens": True,
            },
            "sentence_bert_config.json": {"max_seq_length": 256},
        },
        architectures=["BertModel"],
    ),
]


def file(name: str, file_name: str, content: bytes | Callable[[], bytes]) -> Case:
    def make(root: Path) -> Path:
        return made.write(root / file_name, content if isinstance(content, bytes) else content())

    return Case(name, make)


def with_data(name: str, data: str, **about: Any) -> Case:
    def make(root: Path) -> Path:
        made.write(root / "m" / "model.onnx", onnx_file(location=data, **about))
        made.write(root / "m" / data, bytes(4096))
        return root / "m"

    return Case(name, make)


def with_a_function() -> bytes:
    model = made.graph()
    inner = [helper.make_node("Relu", ["a"], ["b"])]
    opset = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], inner, opset))
    return bytes(model.SerializeToString())


def packed() -> bytes:
    """Its tensors compressed, which torch does not do, but reads."""
    made_of = io.BytesIO()
    with (
        zipfile.ZipFile(made.TORCH / "traced.pt") as source,
        zipfile.ZipFile(made_of, "w", zipfile.ZIP_DEFLATED) as packed_again,
    ):
        for name in source.namelist():
            packed_again.writestr(name, source.read(name))
    return made_of.getvalue()


def beside_pickles(root: Path) -> Path:
    """As where a model was trained and then exported."""
    made.write(root / "m" / "m.pt2", torch("exported.pt2")())
    made.write(root / "m" / "m.safetensors", safetensors({"w": tensor()}))
    made.write(root / "m" / "checkpoint.ckpt", call("a", "B"))
    return root / "m"


def torch(name: str) -> Callable[[], bytes]:
    return lambda: (made.TORCH / name).read_bytes()


WORDS = array(8, 50_000, b"".join(text(f"word{n}") for n in range(50_000)))
FILES = [
    file("GGUF", "x.gguf", gguf()),
    file("GGUF of version 2", "x.gguf", gguf(version=2)),
    file("GGUF with 50,000 words", "x.gguf", gguf(key("tokenizer.ggml.merges", 9, WORDS))),
    file("GGUF with a template", "x.gguf", gguf(key("tokenizer.chat_template", 8, text(LOOPING)))),
    file(
        "GGUF with odd values",
        "x.gguf",
        gguf(key("a", 7, b"\1"), key("b", 12, bytes(8)), key("c", 9, array(7, 3, b"\1\0\1"))),
    ),
    file("GGUF aligned to 64", "x.gguf", gguf(key("general.alignment", 4, number(64)), align=64)),
    file("ONNX", "x.onnx", onnx_file()),
    file("ONNX with a function", "x.onnx", with_a_function),
    file(
        "ONNX that says who made it",
        "x.onnx",
        onnx_file(producer_name="pytorch", doc_string="x" * 9999),
    ),
    with_data("ONNX with its data beside it", "model.onnx.data"),
    with_data("ONNX with its data in a folder", "weights/w.bin", offset=4080),
    with_data("ONNX with the data of a constant", "w.bin", in_node=True),
    file("TorchScript, scripted", "x.pt", torch("scripted.pt")),
    file("TorchScript, traced", "x.pth", torch("traced.pt")),
    file("TorchScript, compressed", "x.pt", packed),
    file("an exported program", "x.pt2", torch("exported.pt2")),
    file("an exported program in capital letters", "X.PT2", torch("exported.pt2")),
    file("GGUF in capital letters", "X.GGUF", gguf()),
    Case("an exported program beside weights that nobody loads", beside_pickles),
]

CASES = [*FOLDERS, *FILES]
