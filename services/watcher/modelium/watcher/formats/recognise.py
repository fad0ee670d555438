"""Which format the files of a candidate have, by their names; pure but for a look into `.pt` files.

A folder with a `config.json` is a transformers model even where other formats lie beside it.
"""

from collections.abc import Callable
from typing import Final

from modelium.common.descriptor import Descriptor
from modelium.common.errors import Incomplete, InvalidModel
from modelium.watcher.formats import (
    adapter,
    exported,
    gguf_file,
    huggingface,
    onnx_file,
    pickled,
    safetensors_file,
    torchscript,
)
from modelium.watcher.formats.files import Files
from modelium.watcher.listing import CONFIG

_DIFFUSERS: Final = "model_index.json"
_PICKLES: Final = (".pt", ".pth", ".bin", ".ckpt")


def _torch(files: Files, name: str) -> Descriptor:
    if pickled.is_torchscript(files, name):
        return torchscript.describe(files, name)
    raise pickled.refusal(files, name)


_OF_ONE_FILE: Final[dict[str, Callable[[Files, str], Descriptor]]] = {
    ".pt2": exported.describe,
    ".onnx": onnx_file.describe,
    ".gguf": gguf_file.describe,
    ".safetensors": safetensors_file.describe,
    **dict.fromkeys(_PICKLES, _torch),
}
"""Formats whose model is one file, alone or in a folder, in the order in which they are taken."""
_PROGRAMS: Final = (".pt2", ".onnx", ".gguf", ".pt", ".pth")
"""Files that need no `config.json`."""


def describe(files: Files) -> Descriptor:
    """What the model is.

    Raises:
        InvalidModel: its format is none that is known, or something is wrong with it or missing.
    """
    if adapter.CONFIG in files:
        return adapter.describe(files)
    if is_transformers(files):
        return huggingface.describe(files)
    name = model_file(files)
    described = _OF_ONE_FILE[_ending(name)](files, name)
    return described if files.candidate.is_file else described.model_copy(update={"file": name})


def is_transformers(files: Files) -> bool:
    """Whether `config.json` tells of the model, rather than a single file with a program."""
    if files.candidate.is_file:
        return False
    deep = any(name.endswith(f"/{CONFIG}") for name in files.sizes)
    if CONFIG not in files:
        return deep or not files.top(*_PROGRAMS)
    return bool(files.top(".safetensors", ".index.json")) or not files.top(*_PROGRAMS)


def model_file(files: Files) -> str:
    """The one file that is the model.

    Raises:
        InvalidModel: there are several, of the format that goes first.
    """
    if _DIFFUSERS in files:
        raise InvalidModel(
            "it is a diffusers pipeline (model_index.json): no engine here makes images; "
            "vLLM-Omni would"
        )
    for ending in _OF_ONE_FILE:
        found = files.top(ending)
        if ending == gguf_file.ENDING and found:
            found = _first_parts(files, found)
        if len(found) > 1:
            raise InvalidModel(
                f"it has {len(found)} {ending} files ({found[0]}, {found[1]} …): "
                "a folder holds one model"
            )
        if found:
            return found[0]
    raise Incomplete(f"{CONFIG} is missing")


def _first_parts(files: Files, found: list[str]) -> list[str]:
    """One name for a model in parts; what accompanies a model that sees is none of its own."""
    models = [name for name in found if not name.lower().startswith("mmproj")] or found
    return list(dict.fromkeys(gguf_file.parts_of(files, name)[0] for name in models))


def _ending(name: str) -> str:
    return next(ending for ending in _OF_ONE_FILE if name.lower().endswith(ending))
