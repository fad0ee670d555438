"""Hostile files that a look at other names than the engine's would miss.

Two formats lie in one folder, or the ending is in capital letters.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.unit.watcher import models

from . import made
from .cases import Case
from .made import archive, call, gguf, key, onnx_file, text, torch

RUNS = "would run"
OUT = "leads out of the model's folder"


def exported() -> bytes:
    """A `.pt2` whose inputs run something."""
    runs = archive({"m/data.pkl": call("os", "system")})
    return torch("exported.pt2", {"data/sample_inputs/model.pt": runs})


def files(name: str, why: str, contents: Mapping[str, bytes | str | Callable[[], bytes]]) -> Case:
    """The first is the candidate, or the folder that it is in."""

    def make(root: Path) -> Path:
        for file, content in contents.items():
            made.write(root / file, content() if callable(content) else content)
        return root / next(iter(contents)).partition("/")[0]

    return Case(name, make, why)


SAFETENSORS = made.safetensors({"w": made.tensor()})
TWO_FORMATS = [
    files(
        "a program that runs beside safetensors",
        RUNS,
        {"m/m.pt2": exported, "m/x.safetensors": SAFETENSORS},
    ),
    files("a program that runs beside ONNX", RUNS, {"m/m.pt2": exported, "m/x.onnx": onnx_file()}),
    files("a program that runs beside GGUF", RUNS, {"m/m.pt2": exported, "m/x.gguf": gguf()}),
    files(
        "machine code beside safetensors",
        "machine code",
        {
            "m/m.pt2": lambda: torch("exported.pt2", {"data/lib/m.so": b"\x7fELF"}),
            "m/x.safetensors": SAFETENSORS,
        },
    ),
    files(
        "pickles beside safetensors that no engine finds",
        "its weights are pickled",
        {
            "m/config.json": json.dumps(models.CONFIG),
            "m/pytorch_model.bin": made.HARMLESS,
            "m/X.SAFETENSORS": SAFETENSORS,
        },
    ),
    files(
        "a pickle that runs beside safetensors that no engine finds",
        RUNS,
        {
            "m/config.json": json.dumps(models.CONFIG),
            "m/pytorch_model.bin": call("os", "system"),
            "m/X.SAFETENSORS": SAFETENSORS,
        },
    ),
]
ESCAPES = gguf(key("tokenizer.chat_template", 8, text("{{ x.__class__ }}")))
CAPITALS = [
    files("a .PT2 that runs", RUNS, {"x.PT2": exported}),
    files("a .Pt2 that runs, in a folder", RUNS, {"m/m.Pt2": exported}),
    files("a .PT that runs", RUNS, {"x.PT": call("os", "system")}),
    files("a .PTH that runs, in a folder", RUNS, {"m/x.PTH": call("os", "system")}),
    files("a .ONNX with its data elsewhere", OUT, {"x.ONNX": onnx_file(location="/etc/passwd")}),
    files("a .GGUF that escapes", "reaches for code", {"x.GGUF": ESCAPES}),
    files("a .GGUF that escapes, in a folder", "reaches for code", {"m/x.Gguf": ESCAPES}),
    files("an empty program", "x.pt is empty: copy it again", {"x.pt": b""}),
    files(
        "a .SAFETENSORS that holds nothing",
        "x.SAFETENSORS is empty: copy it again",
        {"x.SAFETENSORS": b""},
    ),
    files(
        "a .SAFETENSORS that says a tensor twice",
        "twice",
        {"x.SAFETENSORS": made.safetensors(b'{"w":{},"w":{}}')},
    ),
]

CASES = [*TWO_FORMATS, *CAPITALS]
