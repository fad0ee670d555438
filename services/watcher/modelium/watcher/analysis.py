"""Reads a model's folder: whether it is complete, and what it is.

Only headers and small JSON files are read, never weights, and nothing is run. The calls block;
`filesystem.py` makes them in a thread.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePath
from typing import Final

import numpy as np  # noqa: F401 safetensors loads it at its first use: not while a user waits
from pydantic_core import from_json
from safetensors import SafetensorError, safe_open

from modelium.common.descriptor import Descriptor, RuntimeKind
from modelium.common.errors import InvalidModel
from modelium.watcher.hf_config import Config, has_chat_template, parse_config, task_of
from modelium.watcher.hf_sizes import Sizes
from modelium.watcher.listing import CONFIG, GGUF, Candidate, File

_INDEX_ENDING: Final = ".safetensors.index.json"
_CHAT_TEMPLATES: Final = ("chat_template.jinja", "chat_template.json")
_LARGEST_JSON_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Weights:
    """What the headers of the weight files say."""

    parameters: int
    dtype: str


def missing(candidate: Candidate, supported: Iterable[str]) -> str | None:
    """What the model still lacks, for people; None when all of it is there.

    More may come, so this is no verdict: `analyse` gives one.
    """
    if candidate.is_file or candidate.leaves:
        return None  # no more files can help
    try:
        _require_more_than_gguf(candidate, supported)
        _read_weights(candidate, supported)
        _parses(_read(candidate, CONFIG))
    except InvalidModel as error:
        return error.reason
    return None


def analyse(candidate: Candidate, supported: Iterable[str]) -> Descriptor:
    """Describe the model.

    Raises:
        InvalidModel: it cannot be served; the reason says what is wrong or missing.
    """
    _require_acceptable(candidate, supported)
    config, sizes = parse_config(_read(candidate, CONFIG))
    weights = _read_weights(candidate, supported)
    size_bytes = sum(file.size_bytes for file in _weight_files(candidate, supported))
    return _descriptor(candidate, config, sizes, weights, size_bytes)


def _descriptor(
    candidate: Candidate, config: Config, sizes: Sizes, weights: Weights, size_bytes: int
) -> Descriptor:
    names = {file.path for file in candidate.files}
    tokenizer = "tokenizer_config.json"
    chat = has_chat_template(
        _read(candidate, tokenizer) if tokenizer in names else None,
        in_own_file=not names.isdisjoint(_CHAT_TEMPLATES),
    )
    architecture = (config.architectures or ("",))[0]
    return Descriptor(
        format="huggingface",
        architecture=architecture,
        task=task_of(architecture, chat=chat, labels=config.labels),
        runtime=RuntimeKind.VLLM,
        dtype=weights.dtype,
        parameters=weights.parameters,
        weight_bytes=size_bytes,
        context_length=sizes.context_length,
        kv_bytes_per_token=sizes.kv_bytes_per_token,
        windowed_kv_bytes_per_token=sizes.windowed_kv_bytes_per_token,
        window_tokens=sizes.window_tokens,
        attention_heads=sizes.heads,
        kv_heads=sizes.key_value_heads,
        has_chat_template=chat,
    )


def _require_more_than_gguf(candidate: Candidate, supported: Iterable[str]) -> None:
    names = [file.path for file in candidate.files]
    found = [name for name in names if name.endswith(GGUF)]
    if found and not any(name.endswith(tuple(supported)) for name in names):
        raise InvalidModel(
            f"{found[0]} is GGUF, which the engines here do not serve: drop the model's "
            "Hugging Face folder, with config.json, a tokenizer and safetensors"
        )


def _require_no_deeper_folder(candidate: Candidate) -> None:
    """As in `org/model`, which is how models are called where they come from."""
    configs = [PurePath(f.path) for f in candidate.files if PurePath(f.path).name == CONFIG]
    if configs and PurePath(CONFIG) not in configs:
        folder = PurePath(candidate.path)
        raise InvalidModel(
            f"its files are one folder too deep: move {folder / configs[0].parent} to "
            f"{folder.parent}, or watch {folder}"
        )


def _require_acceptable(candidate: Candidate, supported: Iterable[str]) -> None:
    name = PurePath(candidate.path).name
    unreadable = [file.path for file in candidate.files if not file.readable]
    if candidate.leaves:
        raise InvalidModel(
            f"{candidate.leaves} is a link that leads out of the watch directory: "
            "put the files themselves there, or watch the directory they are in"
        )
    if candidate.unfinished:
        raise InvalidModel("a file in it is not finished yet")
    _require_more_than_gguf(candidate, supported)
    _require_no_deeper_folder(candidate)
    if candidate.is_file:
        raise InvalidModel(f"{name} needs a folder of its own with config.json and a tokenizer")
    if unreadable:
        raise InvalidModel(
            f"{unreadable[0]} may not be read by everybody who has to: "
            f"chmod -R a+rX {candidate.path}"
        )


def _read(candidate: Candidate, name: str) -> bytes:
    file = Path(candidate.path) / name
    if name not in {known.path for known in candidate.files}:
        raise InvalidModel(f"{name} is missing")
    try:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST_JSON_BYTES + 1)
    except OSError as error:
        raise InvalidModel(_unreadable(name, error)) from None
    if len(text) > _LARGEST_JSON_BYTES:
        raise InvalidModel(f"{name} is too large")
    return text


def _unreadable(name: str, error: OSError) -> str:
    remedy = "; chmod a+r makes it so" if isinstance(error, PermissionError) else ""
    return f"{name} cannot be read ({error.strerror}){remedy}"


def _parses(text: bytes) -> object:
    try:
        return from_json(text)  # unlike json.loads, it refuses endless nesting
    except ValueError:
        raise InvalidModel("config.json is no JSON") from None


def _weight_files(candidate: Candidate, supported: Iterable[str]) -> list[File]:
    """The weights that are loaded: those the index names, else all that lie in the folder itself.

    Raises:
        InvalidModel: there are none, or the index names one that is not there.
    """
    top = {file.path: file for file in candidate.files if "/" not in file.path}
    shards = {
        shard for name in top if name.endswith(_INDEX_ENDING) for shard in _shards(candidate, name)
    }
    absent = sorted(shards - top.keys())
    if absent:
        raise InvalidModel(f"{absent[0]} is missing ({len(absent)} of {len(shards)} weight files)")
    endings = tuple(supported)
    found = [top[name] for name in sorted(shards or top) if name.endswith(endings)]
    if not found:
        raise InvalidModel(f"it has no weight file ({', '.join(endings)})")
    return found


def _shards(candidate: Candidate, index: str) -> set[str]:
    try:
        weight_map = from_json(_read(candidate, index))["weight_map"]
        return {str(shard) for shard in weight_map.values()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidModel(f"{index} is no list of weight files") from None


def _read_weights(candidate: Candidate, supported: Iterable[str]) -> Weights:
    """Count what all weight files hold; the library checks that each is whole."""
    elements: Counter[str] = Counter()
    for file in _weight_files(candidate, supported):
        elements += _elements(candidate, file)
    commonest = elements.most_common(1)
    return Weights(elements.total(), commonest[0][0] if commonest else "")


def _elements(candidate: Candidate, file: File) -> Counter[str]:
    """Elements by data type."""
    elements: Counter[str] = Counter()
    try:
        with safe_open(Path(candidate.path) / file.path, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 it is no mapping
                tensor = tensors.get_slice(name)
                elements[str(tensor.get_dtype())] += prod(tensor.get_shape())
    except SafetensorError as error:
        raise InvalidModel(f"{file.path} is incomplete or damaged ({error})") from None
    except OSError as error:
        raise InvalidModel(_unreadable(file.path, error)) from None
    return elements
