"""Which files a folder's own names and lists say it has; pure."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from pydantic_core import from_json

from modelium.common.errors import InvalidModel
from modelium.watcher.completeness.effort import Effort
from modelium.watcher.completeness.names import absent_parts, is_hidden, is_part
from modelium.watcher.hf_config import parse_config, tokenizer_class
from modelium.watcher.hf_tasks import task_of
from modelium.watcher.listing import CONFIG, WEIGHTS, Candidate, File
from modelium.watcher.loaded import is_adapter, is_transformers
from modelium.watcher.tokenizers import TOKENIZER_MISSING, lacks_tokenizer

READ_JSON: Final = (
    *("config.json", ".index.json", "modules.json", "chat_template.json", "tokenizer.json"),
    *("vocab.json", "added_tokens.json", "special_tokens_map.json"),
)
"""Endings of the JSON files that something reads; people's own may be as they like."""
_SAFETENSORS: Final = ".safetensors"
_INDEX_ENDING: Final = ".safetensors.index.json"
_MODULES: Final = "modules.json"
_TOKENIZER_CONFIG: Final = "tokenizer_config.json"
_OF_MODULES: Final = {".Pooling": (CONFIG,), ".Dense": (CONFIG, "model.safetensors")}
_DESCRIPTIONS: Final = frozenset(
    {CONFIG, "adapter_config.json", _MODULES, "model_index.json"}
    | {f"{name}.{ending}" for name in ("model", "modelium") for ending in ("yaml", "yml")}
)
"""Safetensors hold no word about what they are: one of these says it."""
_LARGEST_LIST_BYTES: Final = 16 << 20

Contents = Callable[[File], bytes]


def weight_files(candidate: Candidate) -> list[File]:
    """The weights that have to be whole.

    Of a folder: its safetensors if something says what they are (with those of its modules), else
    the programs that lie in it directly, else safetensors, else what lies deeper.

    Raises:
        InvalidModel: there are none, or the names of some say that there are more.
    """
    if candidate.is_file:
        return list(candidate.files[:1])
    weights = [file for file in candidate.files if _has_ending(file.path, WEIGHTS)]
    direct = [file for file in weights if "/" not in file.path]
    safetensors = [file for file in direct if _has_ending(file.path, (_SAFETENSORS,))]
    programs = [file for file in direct if not _has_ending(file.path, (_SAFETENSORS,))]
    if safetensors and (_is_described(candidate) or not programs):
        programs = safetensors
    deeper = [file for file in weights if "/" in file.path and not _is_in_hidden(file.path)]
    if any(file.path == _MODULES for file in candidate.files):
        programs += [file for file in deeper if _has_ending(file.path, (_SAFETENSORS,))]
    found = programs or deeper
    if not found and not _indexes(candidate):
        raise InvalidModel(f"it has no weight file ({', '.join(WEIGHTS)})")
    if not _indexes(candidate):
        absent = absent_parts(file.path for file in found)
        _require_none(absent, len(absent) + len(found))
    return found


def _has_ending(path: str, endings: tuple[str, ...]) -> bool:
    return path.lower().endswith(endings)


def _is_described(candidate: Candidate) -> bool:
    return not _DESCRIPTIONS.isdisjoint(file.path for file in candidate.files)


def unindexed(candidate: Candidate, weights: Sequence[File]) -> Iterator[str]:
    """A doubt, if weights are parts of which no list of tensors is there: it may still come."""
    parts = [f.path for f in weights if _has_ending(f.path, (_SAFETENSORS,)) and is_part(f.path)]
    if parts and not _indexes(candidate):
        yield f"{parts[0]} is one of several, and no *{_INDEX_ENDING} is there"


def require_named(
    candidate: Candidate, weights: Sequence[File], contents: Contents, effort: Effort
) -> None:
    """Every file is there that the folder's lists name.

    Raises:
        InvalidModel: one is missing, or a list is none.
    """
    if candidate.is_file:
        return
    names = {file.path for file in candidate.files}
    for index in _indexes(candidate):
        shards = _shards(index.path, contents(index), effort)
        _require_none(sorted(shards - names), len(shards))
    for file in candidate.files:
        if file.path == _MODULES:
            _require_none(sorted(_module_files(contents(file), effort) - names), 0)
    bare = any(_has_ending(f.path, (_SAFETENSORS,)) for f in weights if "/" not in f.path)
    if (bare or _indexes(candidate)) and not _is_described(candidate):
        raise InvalidModel(f"{CONFIG} is missing")
    if CONFIG in names and is_transformers(candidate) and not is_adapter(candidate):
        _require_tokenizer(candidate, contents, effort)


def _require_tokenizer(candidate: Candidate, contents: Contents, effort: Effort) -> None:
    """What files say that cannot be understood is the analysis' to tell."""
    files = {file.path: file for file in candidate.files}
    said = {name: contents(files[name]) for name in (CONFIG, _TOKENIZER_CONFIG) if name in files}
    for text in said.values():
        effort.parse_json(text)
    try:
        config = parse_config(said[CONFIG])[0]
        tokenizer = tokenizer_class(said.get(_TOKENIZER_CONFIG))
    except InvalidModel:
        return
    architecture = (config.architectures or ("",))[0]
    task = task_of(architecture, chat=False, labels=config.labels, parts=config.has_parts)
    if lacks_tokenizer(files, task, architecture, tokenizer):
        raise InvalidModel(TOKENIZER_MISSING)


def _require_none(absent: Sequence[str], total: int) -> None:
    if absent:
        of_all = f" ({len(absent)} of {total} weight files)" if total else ""
        raise InvalidModel(f"{absent[0]} is missing{of_all}: copy it as well")


def _indexes(candidate: Candidate) -> list[File]:
    files = [] if candidate.is_file else candidate.files
    return [file for file in files if "/" not in file.path and file.path.endswith(_INDEX_ENDING)]


def _is_in_hidden(path: str) -> bool:
    return any(map(is_hidden, PurePosixPath(path).parts))


def _shards(name: str, text: bytes, effort: Effort) -> set[str]:
    found = _parsed(name, text, effort)
    try:
        shards = {str(shard) for shard in found["weight_map"].values()}
    except (KeyError, TypeError, AttributeError):
        raise InvalidModel(f"{name} is no list of weight files") from None
    if not shards:
        raise InvalidModel(f"{name} is no list of weight files")
    return shards


def _module_files(text: bytes, effort: Effort) -> set[str]:
    """Those of sentence-transformers' modules; some have none, and no folder in git."""
    modules = _parsed(_MODULES, text, effort)
    try:
        return {
            str(PurePosixPath(module["path"]) / name)
            for module in modules
            for kind, names in _OF_MODULES.items()
            for name in names
            if module["path"] and str(module["type"]).endswith(kind)
        }
    except (KeyError, TypeError):
        return set()  # not what this program knows; the analysis tells


def _parsed(name: str, text: bytes, effort: Effort) -> Any:
    """Any: whatever a person has written there."""
    if len(text) > _LARGEST_LIST_BYTES:
        raise InvalidModel(f"{name} is too large")
    effort.parse_json(text)
    try:
        return from_json(text)
    except ValueError:
        raise InvalidModel(f"{name} is no JSON") from None
