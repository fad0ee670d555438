"""Looks at a candidate's files before any parser of their format does; runs nothing of them.

What an engine never loads is not looked at: `loaded.py` says what it loads.
"""

from pathlib import Path, PurePath
from typing import Any, Final

from modelium.common.errors import InvalidModel
from modelium.watcher import loaded
from modelium.watcher.listing import CONFIG, GGUF, WEIGHTS, Candidate, File
from modelium.watcher.loaded import ending
from modelium.watcher.safety import limits
from modelium.watcher.safety.gguf_header import require_sound_gguf
from modelium.watcher.safety.own_code import require_no_own_code
from modelium.watcher.safety.paths import require_plain
from modelium.watcher.safety.safetensors_header import require_sound_safetensors
from modelium.watcher.safety.text import (
    parse_json,
    parse_yaml,
    require_harmless_template,
    require_size,
)

YAML: Final = (".yaml", ".yml")
OVERRIDES: Final = ("model.yaml", "model.yml", "modelium.yaml", "modelium.yml")

_INDEX: Final = ".index.json"
_CONFIGS: Final = (CONFIG, _INDEX, "modules.json", "model_index.json", "chat_template.json")
"""Endings of the JSON files that decide what an engine does."""
_DATA: Final = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json")
_NEVER_EMPTY: Final = (loaded.SAFETENSORS, GGUF)
_DATA_BYTES: Final = 512 << 20
_TEMPLATES: Final = (".jinja", "chat_template.json", "tokenizer_config.json")


def require_safe(candidate: Candidate, *, own_code: bool = False) -> None:
    """Refuse what could harm a parser or an engine.

    `own_code`: the operator trusts this model's code, so that it may ask for it.

    Raises:
        InvalidModel: something is not as it is in honest models; the reason says what and where.
    """
    if candidate.leaves or not all(file.readable for file in candidate.files):
        return  # the analysis refuses it, and says what to do
    folders, pickles = loaded.weight_folders(candidate), loaded.pickles(candidate)
    for file in candidate.files:
        is_deeper = PurePath(file.path).parent not in folders
        if is_deeper and ending(file.path) in (loaded.SAFETENSORS, GGUF):
            continue
        try:
            _require_sound(candidate, file, pickled=file.path in pickles, own_code=own_code)
        except OSError as error:
            raise InvalidModel(f"{file.path} cannot be read ({error.strerror})") from None
    _require_more_than_pickles(candidate)


def _require_sound(candidate: Candidate, file: File, *, pickled: bool, own_code: bool) -> None:
    path = folder_of(candidate) / file.path
    if not file.size_bytes and (pickled or ending(file.path) in _NEVER_EMPTY):
        raise InvalidModel(f"{file.path} is empty: copy it again")
    if ending(file.path) == loaded.SAFETENSORS:
        require_sound_safetensors(path, file.path)
    elif ending(file.path) == GGUF:
        require_sound_gguf(path, file.path)
    elif pickled:
        _require_harmless(path, file.path)
    elif ending(file.path) == loaded.ONNX and "/" not in file.path:
        _require_sound_onnx(path, folder_of(candidate))
    elif candidate.is_file and ending(file.path) in YAML:
        parse_yaml(_read(path, file.path, limits.YAML_BYTES), file.path)
    else:
        _require_sound_text(path, file.path, file.size_bytes, own_code)


def folder_of(candidate: Candidate) -> Path:
    """That to which the names of its files are relative."""
    path = Path(candidate.path)
    return path.parent if candidate.is_file else path


def _require_sound_onnx(path: Path, folder: Path) -> None:
    from modelium.watcher.safety.onnx_file import read_onnx  # takes half a second

    read_onnx(path, folder)


def _require_harmless(path: Path, name: str) -> None:
    from modelium.watcher.safety.pickles import require_harmless  # not needed for most models

    programs = (loaded.EXPORTED, *loaded.SCRIPTS)
    require_harmless(path, name, torchscript=ending(name) in programs)


def _require_more_than_pickles(candidate: Candidate) -> None:
    """A Hugging Face folder whose weights are pickles only; TorchScript has no such config."""
    top = [file.path for file in candidate.files if "/" not in file.path]
    pickles = [name for name in top if ending(name) in loaded.BARE_PICKLES]
    if pickles and not any(ending(name) in WEIGHTS for name in top):
        raise InvalidModel(
            f"its weights are pickles ({pickles[0]}), which can run code: convert them to "
            "safetensors"
        )


def _require_sound_text(path: Path, name: str, size_bytes: int, own_code: bool) -> None:
    if name.endswith(_DATA):
        require_size(size_bytes, name, _DATA_BYTES)
    elif name in OVERRIDES:
        parse_yaml(_read(path, name, limits.YAML_BYTES), name)
    elif name.endswith(_CONFIGS):
        _require_sound_config(path, name, own_code)
    elif name.endswith(_TEMPLATES):
        template = _read(path, name, limits.TEMPLATE_BYTES).decode(errors="replace")
        require_harmless_template(template, name)


def _require_sound_config(path: Path, name: str, own_code: bool) -> None:
    longest = limits.INDEX_BYTES if name.endswith(_INDEX) else limits.CONFIG_BYTES
    config = parse_json(_read(path, name, longest), name, longest=longest)
    if not own_code:
        require_no_own_code(config, name)
    if name.endswith(_INDEX):
        _require_plain_shards(config, name)
    elif name.endswith(_TEMPLATES):
        for template in _templates(config):
            require_harmless_template(template, name)


def _require_plain_shards(index: Any, name: str) -> None:
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(shards, dict) or not all(isinstance(it, str) for it in shards.values()):
        raise InvalidModel(f"{name} is no list of weight files")
    for shard in set(shards.values()):
        require_plain(shard, name)


def _templates(config: Any) -> list[str]:
    """One, or several by name, as transformers has them."""
    said = config.get("chat_template") if isinstance(config, dict) else None
    several = said if isinstance(said, list) else [said]
    texts = [it.get("template") if isinstance(it, dict) else it for it in several]
    return [text for text in texts if isinstance(text, str)]


def _read(path: Path, name: str, longest: int) -> bytes:
    with path.open("rb") as opened:
        text = opened.read(longest + 1)
    require_size(len(text), name, longest)
    return text
