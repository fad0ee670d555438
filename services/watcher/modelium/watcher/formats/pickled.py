"""`.pt`, `.pth` and `.bin` that are pickles: never served, as loading one runs what it says."""

from typing import Final

from modelium.common.errors import InvalidModel
from modelium.watcher.formats.files import Files
from modelium.watcher.formats.torch_archive import is_archive, open_archive
from modelium.watcher.formats.torch_pickle import Contents, read_pickle

_REMEDY: Final = (
    "export the model with torch.export.save (.pt2) or to ONNX, "
    "or save a transformers model as safetensors"
)
_OF_TENSORS: Final = frozenset({"torch", "collections", "numpy", "_codecs", "builtins"})


def is_torchscript(files: Files, name: str) -> bool:
    """Whether the file has a program in it, rather than tensors or objects only.

    Raises:
        InvalidModel: it is not whole.
    """
    if not is_archive(files, name):
        return False
    with open_archive(files, name) as archive:
        return "constants.pkl" in archive and bool(archive.below("code"))


def refusal(files: Files, name: str) -> InvalidModel:
    """Why such a file is not served, and what to do."""
    if not is_archive(files, name):
        return InvalidModel(f"{name} is a pickle, which runs code when it is loaded: {_REMEDY}")
    with open_archive(files, name) as archive:
        contents = read_pickle(archive.read("data.pkl"), name)
    own = _own_class(contents)
    if own:
        return InvalidModel(
            f"{name} is a pickled object of {own}, code that is not here: {_REMEDY}"
        )
    count = len(contents.tensors)
    return InvalidModel(
        f"{name} holds {count} tensors (a state dict) and no program to run them: {_REMEDY}"
    )


def _own_class(contents: Contents) -> str:
    for name in contents.names:
        if name.module.split(".")[0] not in _OF_TENSORS:
            return f"{name.module}.{name.name}"
    return ""
