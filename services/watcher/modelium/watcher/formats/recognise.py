"""Which format the files of a candidate have, by their names; pure but for a look into `.pt` files.

A folder with a `config.json` is a transformers model even where other formats lie beside it.
"""

from collections.abc import Callable
from typing import Final

from modelium.common.descriptor import Descriptor
from modelium.common.errors import Incomplete, InvalidModel
from modelium.watcher import loaded
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
from modelium.watcher.listing import CONFIG, GGUF

_DIFFUSERS: Final = "model_index.json"


def _torch(files: Files, name: str) -> Descriptor:
    if pickled.is_torchscript(files, name):
        return torchscript.describe(files, name)
    raise pickled.refusal(files, name)


_OF_ONE_FILE: Final[dict[str, Callable[[Files, str], Descriptor]]] = {
    loaded.EXPORTED: exported.describe,
    loaded.ONNX: onnx_file.describe,
    GGUF: gguf_file.describe,
    loaded.SAFETENSORS: safetensors_file.describe,
    **dict.fromkeys(loaded.PICKLES, _torch),
}
"""By ending; which goes before which is in `loaded.py`."""


def describe(files: Files) -> Descriptor:
    """What the model is.

    Raises:
        InvalidModel: its format is none that is known, or something is wrong with it or missing.
    """
    if loaded.is_adapter(files.candidate):
        return adapter.describe(files)
    if loaded.is_transformers(files.candidate):
        return huggingface.describe(files)
    name = model_file(files)
    described = _OF_ONE_FILE[loaded.ending(name)](files, name)
    return described if files.candidate.is_file else described.model_copy(update={"file": name})


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
    found = loaded.model_files(files.candidate)
    if not found:
        raise Incomplete(f"{CONFIG} is missing")
    ending = loaded.ending(found[0])
    if ending == GGUF:
        found = _first_parts(files, found)
    if len(found) > 1:
        raise InvalidModel(
            f"it has {len(found)} {ending} files ({found[0]}, {found[1]} …): "
            "a folder holds one model"
        )
    return found[0]


def _first_parts(files: Files, found: list[str]) -> list[str]:
    """One name for a model in parts; what accompanies a model that sees is none of its own."""
    models = [name for name in found if not name.lower().startswith("mmproj")] or found
    return list(dict.fromkeys(gguf_file.parts_of(files, name)[0] for name in models))
