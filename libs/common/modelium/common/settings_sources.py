"""Where settings come from: finds and reads the YAML file and the environment.

What the values mean and whether they are right is left to `load_settings.py`; only what is lost
when sources are merged (a syntax error, a variable that names nothing) is complained about here.
"""

import os
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from modelium.common.errors import SettingsError

M = TypeVar("M", bound=BaseModel)
RESERVED = frozenset(
    f"MODELIUM_{name}" for name in ("CONFIG", "URL", "API_KEY", "RUN", "VLLM_PYTHON")
)
"""Variables that are not settings."""


@dataclass(frozen=True)
class Source:
    """Nested values, and for each key path what a person would call the place."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    """By key path, as it stands there: paths are not made absolute."""
    problems: tuple[str, ...] = ()
    name: str = "settings"

    def origin_of(self, key: str) -> str | None:
        """Where `key`, the list or section it is in, or anything inside it is set."""
        for known, origin in self.origins.items():
            if f"{key}.".startswith(f"{known}.") or known.startswith(f"{key}."):
                return origin
        return None


def find_config(config: Path | None) -> Path | None:
    """The file to read, or None when there is none; a file that is named has to be there."""
    named = config or (Path(os.environ["MODELIUM_CONFIG"]) if _env("MODELIUM_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise SettingsError((f"{named}: there is no such file",))
        return named.absolute()
    user = Path(_env("XDG_CONFIG_HOME") or Path.home() / ".config") / "modelium"
    places = (Path.cwd(), user, Path("/etc/modelium"))
    return next((p / "modelium.yaml" for p in places if (p / "modelium.yaml").is_file()), None)


def _env(name: str) -> str:
    return os.environ.get(name, "")


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that is there twice is an error, not the last one's victory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_file(settings: type[BaseModel], path: Path | None) -> Source:
    """The values of a YAML file; an empty file, or an empty section, is one without values."""
    if path is None:
        return Source()
    try:
        # The loader is SafeLoader with one more check.
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except OSError as wrong:
        raise SettingsError((f"{path}: cannot be read: {wrong.strerror}",)) from wrong
    except UnicodeDecodeError as wrong:
        raise SettingsError((f"{path}: is not UTF-8 text",)) from wrong
    except yaml.YAMLError as wrong:
        raise SettingsError((_syntax_problem(path, wrong),)) from wrong
    if data is None:
        return Source()
    if not isinstance(data, dict):
        raise SettingsError((f"{path}: expected sections with keys, not {type(data).__name__}",))
    values = _without_empty_sections(settings, data)
    given = dict(_leaves(values))
    origins = dict.fromkeys(given, str(path))
    return Source(_rooted(settings, values, path.parent), origins, given, name=str(path))


def _syntax_problem(path: Path, wrong: yaml.YAMLError) -> str:
    mark = getattr(wrong, "problem_mark", None)
    where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{path}{where}: {getattr(wrong, 'problem', None) or 'is not YAML'}"


def _without_empty_sections(model: type[BaseModel], data: dict[Any, Any]) -> dict[str, Any]:
    """`gpu:` with only comments below is None in YAML; it means a section without values."""
    kept: dict[str, Any] = {}
    for key, value in data.items():
        section = section_of(model, str(key))
        if section and isinstance(value, dict):
            kept[str(key)] = _without_empty_sections(section, value)
        elif not (section and value is None):
            kept[str(key)] = value
    return kept


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _rooted(model: type[BaseModel], values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """`values` with relative paths made absolute, starting at `folder`."""
    rooted = dict(values)
    for key, value in values.items():
        section, info = section_of(model, key), model.model_fields.get(key)
        if section and isinstance(value, dict):
            rooted[key] = _rooted(section, value, folder)
        elif info and _holds_paths(info) and isinstance(value, str):
            rooted[key] = folder / Path(value).expanduser()
        elif info and _holds_paths(info) and isinstance(value, list):
            rooted[key] = [
                folder / Path(v).expanduser() if isinstance(v, str) else v for v in value
            ]
    return rooted


def _holds_paths(info: FieldInfo) -> bool:
    return info.annotation is Path or Path in get_args(info.annotation)


def absolute_paths(model: M, folder: Path) -> M:
    """`model` with every relative path made absolute, symbolic links left as they are."""
    changed: dict[str, Any] = {}
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            changed[name] = absolute_paths(value, folder)
        elif isinstance(value, Path):
            changed[name] = folder / value.expanduser()
        elif isinstance(value, tuple) and _holds_paths(info):
            changed[name] = tuple(folder / path.expanduser() for path in value)
    return model.model_copy(update=changed)


class _Environment(EnvSettingsSource):
    """Lists may be given as JSON or, shorter, with commas."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        kind = get_origin(field.annotation) or field.annotation
        if kind is tuple and not str(value).lstrip().startswith("["):
            return [part.strip() for part in str(value).split(",") if part.strip()]
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value  # what was expected is said where all values are checked


def read_environment(settings: type[BaseSettings]) -> Source:
    """The values of `MODELIUM_<SECTION>__<KEY>`, and those variables that name no setting."""
    known = {variable(settings, key): key for key in known_keys(settings)}
    ours = sorted(n for n in os.environ if n.startswith("MODELIUM_") and n not in RESERVED)
    problems = tuple(p for p in (_stray(name, known) for name in ours) if p)
    values = _Environment(settings)()
    origins = {known[name]: name for name in ours if name in known and os.environ[name]}
    return Source(values, origins, problems=problems)


def _stray(name: str, known: Mapping[str, str]) -> str | None:
    """A complaint about a variable that looks like a setting and is none."""
    if name in known:
        return None
    single = {wanted.replace("__", "_"): wanted for wanted in known}
    if name in single:
        return f"{name}: is not a setting (did you mean {single[name]}?)"
    if "__" not in name:
        return None
    near = get_close_matches(name, known, n=1)
    return f"{name}: is not a setting{f' (did you mean {near[0]}?)' if near else ''}"


def variable(settings: type[BaseSettings], key: str) -> str:
    """The environment variable that sets `key`."""
    prefix = str(settings.model_config.get("env_prefix", ""))
    return prefix + key.replace(".", "__").upper()


def known_keys(model: type[BaseModel], prefix: str = "") -> tuple[str, ...]:
    """The key paths of all settings, in the order of their declaration."""
    keys: list[str] = []
    for name in model.model_fields:
        section = section_of(model, name)
        keys += known_keys(section, f"{prefix}{name}.") if section else [prefix + name]
    return tuple(keys)


def section_of(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The class of the section `key`, or None when it is a value (or unknown)."""
    info = model.model_fields.get(key)
    kind = info.annotation if info else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def is_secret(model: type[BaseModel], key: str) -> bool:
    """Whether the value of the setting may not be shown."""
    name, _, rest = key.partition(".")
    section, info = section_of(model, name), model.model_fields.get(name)
    if section and rest:
        return is_secret(section, rest)
    kind = info.annotation if info else None
    return kind is SecretStr or SecretStr in get_args(kind)
