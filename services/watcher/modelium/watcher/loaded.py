"""Which of a candidate's files an engine loads; pure, by their names alone.

The gate looks at these before anything parses them, and `formats/recognise.py` describes these: one
answer for both, so that nothing is loaded that was not looked at.
"""

from pathlib import PurePath
from typing import Final

from modelium.watcher.listing import CONFIG, GGUF, Candidate

ADAPTER: Final = "adapter_config.json"
SAFETENSORS: Final = ".safetensors"
ONNX: Final = ".onnx"
EXPORTED: Final = ".pt2"
SCRIPTS: Final = (".pt", ".pth")
"""TorchScript, if they are no bare pickles."""
BARE_PICKLES: Final = (".bin", ".ckpt", ".pkl", ".pickle", ".joblib")
PICKLES: Final = (*SCRIPTS, *BARE_PICKLES)
MODEL_FILES: Final = (EXPORTED, ONNX, GGUF, SAFETENSORS, *PICKLES)
"""Formats whose model is one file, alone or in a folder, in the order in which they are taken."""
_PROGRAMS: Final = (EXPORTED, ONNX, GGUF, *SCRIPTS)
"""Files that need no `config.json`."""


def ending(name: str) -> str:
    """In small letters, whatever the file's are: weights are weights in any."""
    return PurePath(name).suffix.lower()


def is_adapter(candidate: Candidate) -> bool:
    """Whether it only changes another model."""
    return not candidate.is_file and ADAPTER in _names(candidate)


def is_transformers(candidate: Candidate) -> bool:
    """Whether `config.json` tells of the model, rather than a single file with a program."""
    if candidate.is_file:
        return False
    top = _names(candidate)
    programs = any(ending(name) in _PROGRAMS for name in top)
    if CONFIG not in top:
        return not programs or any(f.path.endswith(f"/{CONFIG}") for f in candidate.files)
    weights = any(ending(name) == SAFETENSORS or _is_index(name) for name in top)
    return weights or not programs


def model_files(candidate: Candidate) -> list[str]:
    """Of a model that is one file: those of the format that goes first, of which one is expected.

    Of a single file it is that, whatever lies beside it.
    """
    names = [candidate.files[0].path] if candidate.is_file else _names(candidate)
    for format_ending in MODEL_FILES:
        found = sorted(name for name in names if ending(name) == format_ending)
        if found:
            return found
    return []


def pickles(candidate: Candidate) -> frozenset[str]:
    """The files that could run code while an engine reads them.

    With `config.json` engines take the pickles of a folder only where it has no safetensors. Those
    they find by their ending as it is written, so that only small letters count.
    """
    if not is_adapter(candidate) and not is_transformers(candidate):
        may_run = (EXPORTED, *PICKLES)
        return frozenset(name for name in model_files(candidate) if ending(name) in may_run)
    names = [PurePath(file.path) for file in candidate.files]
    folders = weight_folders(candidate) - {it.parent for it in names if it.suffix == SAFETENSORS}
    found = (it for it in names if it.parent in folders and ending(it.name) in PICKLES)
    return frozenset(map(str, found))


def weight_folders(candidate: Candidate) -> set[PurePath]:
    """The model's own, and those of its modules."""
    names = [PurePath(file.path) for file in candidate.files]
    return {PurePath(), *(name.parent for name in names if name.name == CONFIG)}


def _names(candidate: Candidate) -> list[str]:
    """The files of its folder itself."""
    return [file.path for file in candidate.files if "/" not in file.path]


def _is_index(name: str) -> bool:
    return name.lower().endswith(".index.json")
