"""Every setting with its type, unit, default and description, read off the classes themselves.

`modelium config show` prints the list, and docs/configuration.md is made from it:
`python -m modelium.cli.settings_list docs/configuration.md`.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from modelium.common.addresses import without_password
from modelium.common.load_settings import Settings, variable_of
from modelium.common.settings_sources import section_of

UNITS = ("seconds", "milliseconds", "bytes", "percent", "tokens", "cores", "port", "slots")
KINDS = {
    int: "integer",
    float: "number",
    bool: "true or false",
    str: "text",
    SecretStr: "secret text",
    Path: "path",
}


@dataclass(frozen=True)
class Setting:
    """One setting as people see it."""

    key: str
    variable: str
    kind: str
    unit: str
    default: Any
    description: str


def settings_list(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Setting]:
    """All settings in the order of their declaration."""
    for name, info in model.model_fields.items():
        section = section_of(model, name)
        if section:
            yield from settings_list(section, f"{prefix}{name}.")
        else:
            yield _setting(prefix + name, info)


def _setting(key: str, info: FieldInfo) -> Setting:
    unit = next((unit for unit in UNITS if key.split("_")[-1].split(".")[-1] == unit), "")
    return Setting(
        key, variable_of(key), kind_of(info), unit, info.get_default(), info.description or ""
    )


def kind_of(info: FieldInfo) -> str:
    """The type in words, with its range."""
    return _limited(_words(info.annotation), info.metadata)


def _limited(words: str, rules: Iterable[Any]) -> str:
    return " ".join([words, *(text for rule in rules if (text := _limit(rule)))])


def _words(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        bare, *rules = get_args(kind)
        return _limited(_words(bare), rules)
    if get_origin(kind) in (Union, UnionType):
        parts = [_words(part) for part in get_args(kind) if part is not NoneType]
        return f"{' or '.join(parts)}, or empty"
    if get_origin(kind) is dict:
        return f"names, each with {_words(get_args(kind)[1])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "a section of " + ", ".join(f"`{name}`" for name in kind.model_fields)
    if get_origin(kind) is tuple:
        return f"list of {_words(get_args(kind)[0])}"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return " or ".join(member.value for member in kind)
    return KINDS.get(getattr(kind, "__origin__", kind), "text")


def _limit(rule: Any) -> str:
    """A bound such as `above 0`; other rules are said in the description."""
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    found = [(word, getattr(rule, name, None)) for name, word in words.items()]
    return ", ".join(f"{word} {bound}" for word, bound in found if bound is not None)


def shown(value: Any) -> str:
    """A value as it would stand in the file."""
    if value is None:
        return "(empty)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_defaults=True)
    if isinstance(value, dict):
        given = {name: part for name, part in value.items() if part is not None}
        return "{" + ", ".join(f"{name}: {shown(part)}" for name, part in given.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return without_password(str(value)) if str(value) else '""'


HEAD = """# Settings

Modelium reads the first of `--config FILE`, `$MODELIUM_CONFIG`, `./modelium.yaml`,
`$XDG_CONFIG_HOME/modelium/modelium.yaml` and `/etc/modelium/modelium.yaml`. A variable of the
environment wins over the file, the file over the default. Variables are called
`MODELIUM_<SECTION>__<KEY>`; lists are written as `a,b` or as JSON, names with sections as JSON; an
empty one counts as not set.

Relative paths in the file start at the file's folder, all others at the working directory. An
unknown key or a wrong value is refused with its file or variable, the key, and what was expected.
`modelium config check` looks without starting anything; `modelium config show --origin` prints
every value and where it is set.

`modelium config apply` takes `orchestration.policies` out of the file into the running system,
without a restart; `--dry-run` only shows what changes. Where the file says other things, too, than
when the orchestrator was started, these are named and nothing is applied; `--policies-only` applies
the policies all the same.

What was applied is kept in Redis and counts for every orchestrator, after restarts too: a variable
of its environment wins over it, it wins over the file, the file over the default. But a policy of
which the file, at a restart, says neither what was applied nor what it had said before was changed
since: there the file wins. `modelium config show --origin` prints what is in force and where it is
set, and the orchestrator logs `policies.changed`.

This page is made from `libs/common/modelium/common/settings*.py` by `make docs`.
"""


def page() -> str:
    """docs/configuration.md."""
    lines = [HEAD]
    section = ""
    for setting in settings_list():
        parent, _, name = setting.key.rpartition(".")
        if parent != section:
            section = parent
            lines += [f"\n## {section}\n", "| key | type | default | |", "|---|---|---|---|"]
        default = f"`{shown(setting.default)}`" if setting.default is not None else ""
        lines.append(f"| `{name}` | {setting.kind} | {default} | {setting.description} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
