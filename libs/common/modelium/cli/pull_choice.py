"""Which files of a repository on a hub make a model; pure.

Engines read safetensors or ONNX. A pickle can run code when it is read, so that it is taken only
where the user asks for it; what comes twice (another format, Mistral's own names) is left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

BESIDE: Final = ("*.json", "*.jinja", "*.model", "*.tiktoken", "*.txt", "*.spm", "LICENSE*")
"""Settings, tokenizers, chat templates, and what has to go with the weights."""
PICKLES: Final = ("*.bin", "*.pt", "*.pth")
WEIGHTS: Final = (("*.safetensors",), ("*.onnx", "*.onnx_data", "*.onnx.data"))
"""The kinds of weights, the one that is preferred first."""
LEFT_OUT: Final = ("original/*", "consolidated*", "onnx/*", "openvino/*", "*training_args*")
"""Copies of the same weights; counted only where nothing else is there."""


@dataclass(frozen=True)
class HubFile:
    """One file there; `size` and `sha256` as the hub says them, the latter of large ones only."""

    path: str
    size: int
    sha256: str = ""


def choose(
    files: Iterable[HubFile], *, pickles: bool, include: Sequence[str] = ()
) -> list[HubFile]:
    """The files to fetch, by name; none where the repository has no weights of such a kind."""
    every = sorted(files, key=lambda file: file.path)
    weights = _weights(every, (*WEIGHTS, PICKLES) if pickles else WEIGHTS)
    wanted = [file for file in every if _like(file, include)]
    if not weights and not wanted:
        return []
    beside = [f for f in every if _like(f, BESIDE) and not _like(f, LEFT_OUT)]
    return sorted({*weights, *wanted, *beside}, key=lambda file: file.path)


def _weights(files: Sequence[HubFile], kinds: Iterable[Sequence[str]]) -> list[HubFile]:
    """Of the first kind that is there, those that are no copies of others."""
    for kind in kinds:
        found = [file for file in files if _like(file, kind)]
        if found:
            return [file for file in found if not _like(file, LEFT_OUT)] or found
    return []


def has_pickles(files: Iterable[HubFile]) -> bool:
    """Whether asking for pickles would find something."""
    return any(_like(file, PICKLES) for file in files)


def _like(file: HubFile, patterns: Sequence[str]) -> bool:
    """By the path or its last part."""
    names = (file.path, file.path.rpartition("/")[2])
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
