"""Records to Redis hashes and back; pure.

One field per attribute, nested ones with a dot, readable by eye: `true`/`false`, RFC 3339 times,
lists with commas (as JSON where an element is not a plain word), nothing for what is not known.
"""

import json
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def to_hash(record: BaseModel) -> dict[str, str]:
    """The fields of `record`, flat."""
    return dict(_flat("", record.model_dump(mode="json")))


def from_hash(kind: type[M], fields: Mapping[str, str]) -> M:
    """The record of these fields; unknown ones are ignored.

    Raises:
        ValidationError: a field is missing or wrong.
    """
    return kind.model_validate(_nested(kind, fields, ""))


def _flat(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            flat += _flat(f"{prefix}{name}.", value)
        elif value is not None:
            flat.append((prefix + name, _text(value)))
    return flat


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        plain = all(_is_plain(element) for element in value)
        return ",".join(value) if plain else json.dumps(value)
    return str(value)


def _is_plain(element: Any) -> bool:
    return isinstance(element, str) and element != "" and not set(element) & set(',[" ')


def _nested(kind: type[BaseModel], fields: Mapping[str, str], prefix: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        key = prefix + name
        wanted, optional = _without_none(field.annotation)
        if isinstance(wanted, type) and issubclass(wanted, BaseModel):
            if any(known.startswith(f"{key}.") for known in fields):
                values[name] = _nested(wanted, fields, f"{key}.")
        elif get_origin(wanted) in (Mapping, dict):
            values[name] = _mapping(fields, f"{key}.")
        elif key in fields:
            is_list = get_origin(wanted) in (tuple, list)
            values[name] = _list(fields[key]) if is_list else fields[key]
        if optional:
            values.setdefault(name, None)
    return values


def _mapping(fields: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Of plain values; their keys may have dots."""
    return {key.removeprefix(prefix): fields[key] for key in fields if key.startswith(prefix)}


def _list(text: str) -> list[Any]:
    if text.startswith("["):
        elements: list[Any] = json.loads(text)
        return elements
    return text.split(",") if text else []


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """The type beside None, and whether None is allowed."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    others = [choice for choice in get_args(annotation) if choice is not types.NoneType]
    return others[0], len(others) < len(get_args(annotation))
