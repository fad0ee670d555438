"""Reads the settings (`settings.py`) from file and environment, once, in a `__main__`.

`settings_sources.py` finds and reads the two sources; here they are merged and checked, and what is
wrong becomes one sentence each. `Settings(...)` itself reads nothing: tests build it as a value.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from modelium.common import settings as s
from modelium.common.errors import SettingsError
from modelium.common.settings_brain import Brain
from modelium.common.settings_sources import (
    Source,
    absolute_paths,
    find_config,
    is_secret,
    known_keys,
    read_environment,
    read_file,
    variable,
)


class Settings(BaseSettings):
    """Every section."""

    model_config = SettingsConfigDict(
        env_prefix="MODELIUM_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    organization: s.Organization = s.Organization()
    modelium_brain: Brain = Brain()
    orchestration: s.Orchestration = s.Orchestration()
    vllm: s.Vllm = s.Vllm()
    ray_serve: s.RayServe = s.RayServe()
    gpu: s.Gpu = s.Gpu()
    security: s.Security = s.Security()
    runtime_agent: s.RuntimeAgent = s.RuntimeAgent()
    gateway: s.Gateway = s.Gateway()
    nats: s.Nats = s.Nats()
    redis: s.Redis = s.Redis()
    logging: s.Logging = s.Logging()
    health: s.Health = s.Health()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: `load` reads the environment, so that it can name it in errors."""
        return (init_settings,)


@dataclass(frozen=True)
class Loaded:
    """Settings, the file they come from, and where each value that is not a default is set."""

    settings: Settings
    file: Path | None
    origins: Mapping[str, str]
    """By key path: the file's path, or the name of the environment variable."""
    file_digests: Mapping[str, str] = field(default_factory=dict)
    """By key path: a digest of what the file says, so that two files can be compared without
    telling what is in them. Secret settings are left out."""


def load(config: Path | None = None) -> Settings:
    """The settings of this process; `config` is what `--config` names.

    Relative paths in the file start at the file's folder, all others at the working directory.

    Raises:
        SettingsError: with every problem there is, not only the first.
    """
    return load_with_origins(config).settings


def load_with_origins(config: Path | None = None, *, file_only: bool = False) -> Loaded:
    """Like `load`, for those who show where a value comes from; `file_only` of the file alone."""
    path = find_config(config)
    file = read_file(Settings, path)
    environment = Source() if file_only else read_environment(Settings)
    problems = list(environment.problems)
    values = _merged(file.values, environment.values)
    settings = Settings()
    try:
        settings = Settings.model_validate(values)
    except ValidationError as wrong:
        problems += _problems(wrong, file, environment)
    if problems:
        raise SettingsError(tuple(problems))
    origins = file.origins | environment.origins
    return Loaded(absolute_paths(settings, Path.cwd()), path, origins, _digests(file.given))


def _digests(given: Mapping[str, Any]) -> dict[str, str]:
    shown = {key: value for key, value in given.items() if not is_secret(Settings, key)}
    return {key: _digest(value) for key, value in shown.items()}


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, default=str, sort_keys=True).encode()).hexdigest()[:16]


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`below` with everything `above` says, section by section."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old or {}, value) if both else value
    return merged


def _problems(wrong: ValidationError, file: Source, environment: Source) -> list[str]:
    """One sentence for each error: where, which key, what was expected."""
    sentences = []
    for error in wrong.errors(include_url=False, include_context=False):
        key = ".".join(str(part) for part in error["loc"])
        origin = environment.origin_of(key) or file.origin_of(key) or file.name
        if error["type"] != "extra_forbidden":
            expected = f"expected {_expected(error)}, not {_shown(error['input'])}"
            sentences.append(f"{origin}: {key}: {expected}")
        elif not any(said.startswith(variable_of(key)) for said in environment.problems):
            sentences.append(f"{origin}: {key} is not a setting{_did_you_mean(key)}")
    return sentences


_WORDS = {
    "tuple_type": "a list",
    "model_type": "a section with keys",
    "model_attributes_type": "a section with keys",
}


def _expected(error: ErrorDetails) -> str:
    """What would have been right, in the words of somebody who writes YAML."""
    message = error["msg"].removeprefix("Input should be ").partition(", unable to parse")[0]
    return _WORDS.get(error["type"], message)


def _shown(value: Any) -> str:
    """A wrong value, short enough for one line."""
    text = repr(value) if not isinstance(value, BaseModel) else "a section"
    return text if len(text) <= 60 else text[:57] + "..."


def _did_you_mean(key: str) -> str:
    """` (did you mean ...?)` with the nearest setting or section, or nothing."""
    settings = known_keys(Settings)
    sections = {parent for known in settings for parent in _parents(known)}
    known = [*settings, *sorted(sections)]
    parent = key.rpartition(".")[0]
    siblings = {k.rpartition(".")[2]: k for k in known if k.rpartition(".")[0] == parent}
    near = get_close_matches(key.rpartition(".")[2], siblings, n=1)
    found = [siblings[name] for name in near] or get_close_matches(key, known, n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def _parents(key: str) -> tuple[str, ...]:
    parts = key.split(".")
    return tuple(".".join(parts[:n]) for n in range(1, len(parts)))


def variable_of(key: str) -> str:
    """The environment variable that sets `key`."""
    return variable(Settings, key)
