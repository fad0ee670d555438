"""Good files with random damage: the watcher says what they are or why not, and nothing else.

`MODELIUM_FUZZ_SEED` and `MODELIUM_FUZZ_ROUNDS` choose other damage, and more of it.
"""

import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from modelium.common import signatures
from modelium.common.errors import InvalidModel
from modelium.common.settings import ModelDiscovery
from modelium.watcher.completeness.judge import judge
from modelium.watcher.formats.overrides import name_of
from modelium.watcher.listing import Candidate, File
from modelium.watcher.safety.inspection import inspect
from modelium.watcher.safety.request import Request

from . import made
from .made import TORCH, array, call, folder, gguf, key, onnx_file, text, torch

SEED = os.environ.get("MODELIUM_FUZZ_SEED", "1")
ROUNDS = int(os.environ.get("MODELIUM_FUZZ_ROUNDS", "80"))
SUPPORTED = ModelDiscovery().supported_extensions
DATA = "w.bin"
"""In which an ONNX file keeps its tensors."""
NUMBERS = [0, 1, 7, 127, 128, 255, 1 << 15, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63]
WORDS = [
    b"\x80\x04",
    b"PK\x03\x04",
    b"../",
    b'"',
    b"{",
    b"[",
    b"\x00",
    b"cos\nsystem\n",
    b"\xff" * 9,
]
WORDS += [
    b"NaN",
    b"1e999",
    b"null",
    b"[[[[[[",
    b"&a",
    b"*a",
    b"!!",
    b"__class__",
    b"-1",
    b"9" * 400,
]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """One to four random changes."""
    result = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(result) + 1)
        chance.choice(CHANGES)(result, at, chance)
    return bytes(result)


def flip(content: bytearray, at: int, chance: random.Random) -> None:
    content[at : at + 1] = bytes([chance.randrange(256)])


def cut(content: bytearray, at: int, chance: random.Random) -> None:
    del content[at : at + chance.choice([1, 4, 8, 64, 1 << 20])]


def repeat(content: bytearray, at: int, chance: random.Random) -> None:
    begin = chance.randrange(len(content) + 1)
    content[at:at] = content[begin : begin + chance.choice([1, 8, 100])] * chance.choice([1, 2, 50])


def put_word(content: bytearray, at: int, chance: random.Random) -> None:
    word = chance.choice(WORDS)
    content[at : at + chance.choice([0, len(word)])] = word


def put_number(content: bytearray, at: int, chance: random.Random) -> None:
    size = chance.choice([4, 8])
    value = chance.choice(NUMBERS) % (1 << (8 * size))
    content[at : at + size] = struct.pack("<Q", value)[:size]


CHANGES: list[Callable[[bytearray, int, random.Random], None]] = [
    flip,
    flip,
    cut,
    repeat,
    put_word,
    put_number,
]


def candidate(path: Path) -> Candidate:
    if path.is_file():
        beside = [it for it in (path, path.with_name(DATA)) if it.exists()]
        files = tuple(File(it.name, it.stat().st_size, 1) for it in beside)
        return Candidate(str(path), files, is_file=True)
    there = sorted(it for it in path.rglob("*") if it.is_file())
    files = tuple(File(str(it.relative_to(path)), it.stat().st_size, 1) for it in there)
    return Candidate(str(path), files)


def described(path: Path) -> str:
    """The format of an undamaged one, which is accepted: so the damage is what is looked at."""
    return inspect(candidate(path), Request(supported=SUPPORTED)).format


def judged(path: Path) -> None:
    """What the watcher itself looks at, and then what the process of the analysis does."""
    found = candidate(path)
    judge(found)
    name_of(found)
    try:
        inspect(found, Request(supported=SUPPORTED))
    except InvalidModel as error:
        assert error.reason


INDEX = {"weight_map": {"embed": "model.safetensors", "norm": "model.safetensors"}}
MODULES = [{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}]
LORA = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": "qwen", "task_type": "CAUSAL_LM"}
ADAPTER = made.safetensors({"w": made.tensor()})
IN_FOLDERS = {
    "config.json": {},
    "tokenizer_config.json": {},
    "model.safetensors": {},
    "model.safetensors.index.json": {"model.safetensors.index.json": INDEX},
    "modules.json": {"modules.json": MODULES},
    "chat_template.jinja": {"chat_template.jinja": "{% for m in messages %}{{ m }}{% endfor %}"},
    "model.yaml": {"model.yaml": "context: 512\nalias: [a, b]\nengine_args: {max-num-seqs: 4}\n"},
    "adapter_config.json": {"adapter_config.json": LORA, "adapter_model.safetensors": ADAPTER},
}


@pytest.mark.parametrize("name", IN_FOLDERS)
def test_a_damaged_file_of_a_folder(name: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "m", IN_FOLDERS[name])
    assert described(path) == ("lora" if name == "adapter_config.json" else "huggingface")
    fuzz(path / name, path, random.Random(SEED + name))


FILES: dict[str, Callable[[], bytes]] = {
    "x.gguf": lambda: gguf(key("tokenizer.ggml.scores", 9, array(6, 4, bytes(16)))),
    "template.gguf": lambda: gguf(key("tokenizer.chat_template", 8, text("{{ messages }}"))),
    "x.onnx": onnx_file,
    "data.onnx": lambda: onnx_file(location=DATA, in_node=True),
    "x.safetensors": lambda: made.safetensors({"w": made.tensor()}),
    "scripted.pt": lambda: torch("scripted.pt"),
    "traced.pt": lambda: (TORCH / "traced.pt").read_bytes(),
    "state.pt": lambda: (TORCH / "state.pt").read_bytes(),
    "legacy.pth": lambda: (TORCH / "legacy.pth").read_bytes(),
    "pickle.pt": lambda: call("collections", "OrderedDict") + made.HARMLESS,
    "exported.pt2": lambda: (TORCH / "exported.pt2").read_bytes(),
}
PICKLES = {
    "state.pt": "no program to run them",
    "legacy.pth": "runs code when it is loaded: export",
    "pickle.pt": "runs code when it is loaded: export",
}
"""Refused by the last to look at them, as none is served."""


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file(name: str, tmp_path: Path) -> None:
    path = made.write(tmp_path / name, FILES[name]())
    if name == "data.onnx":
        made.write(tmp_path / DATA, bytes(16))
    if name in PICKLES:
        with pytest.raises(InvalidModel, match=PICKLES[name]):
            described(path)
    else:
        assert described(path)
    fuzz(path, path, random.Random(SEED + name))


def fuzz(file: Path, model: Path, chance: random.Random) -> None:
    good = file.read_bytes()
    for _ in range(ROUNDS):
        file.write_bytes(damaged(good, chance))
        judged(model)


def test_a_damaged_signature(tmp_path: Path) -> None:
    path = folder(tmp_path / "m")
    public = signatures.new_key(tmp_path / "k.pem")
    signature = signatures.sign(path, key=tmp_path / "k.pem")
    good, chance = signature.read_bytes(), random.Random(SEED)
    for _ in range(ROUNDS):
        bad = damaged(good, chance)
        signature.write_bytes(bad)
        try:
            signatures.verify(path, [public])
        except InvalidModel as error:
            assert error.reason
