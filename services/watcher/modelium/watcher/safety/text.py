"""JSON, YAML and chat templates as strangers write them: bounded, unambiguous, without code."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from pydantic_core import from_json

from modelium.common.errors import InvalidModel
from modelium.watcher.safety import limits

_DUNDER: Final = re.compile(r"__\w+__|\|\s*attr\b|mro\s*\(")
"""How templates reach from a string to the interpreter; none needs it to write a chat."""

_INTEGER_BITS: Final = 64


class _Twice(ValueError):
    """A key that two readers may read differently."""


def parse_json(text: bytes, name: str, *, longest: int = limits.CONFIG_BYTES) -> Any:
    """What a JSON file says.

    Raises:
        InvalidModel: it is too large or too deep, no JSON, or says something twice.
    """
    require_size(len(text), name, longest)
    try:
        from_json(text)  # refuses endless nesting, which `json` would follow
        return json.loads(text, object_pairs_hook=_unique)
    except _Twice as twice:
        raise InvalidModel(f"{name} has the key {str(twice)[:80]!r} twice") from None
    except (ValueError, RecursionError) as error:
        deep = "recursion" in str(error)
        raise InvalidModel(f"{name} {'nests too deep' if deep else 'is no JSON'}") from None


def require_size(size_bytes: int, name: str, longest: int) -> None:
    """Raises `InvalidModel` for a file that is larger than any real one of its kind."""
    if size_bytes > longest:
        raise InvalidModel(f"{name} has {size_bytes} bytes; more than {longest} are not read")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def parse_yaml(text: bytes, name: str) -> Any:
    """What a YAML file says: plain values only.

    Raises:
        InvalidModel: it is too large or too deep, no YAML, has anchors, aliases or tags (with
            which a few bytes become gigabytes, or objects), or says something twice.
    """
    require_size(len(text), name, limits.YAML_BYTES)
    try:
        for count, depth in enumerate(_depths(text, name)):
            if depth > limits.NESTING or count > limits.YAML_EVENTS:
                raise InvalidModel(f"{name} is larger or deeper than settings are")
        return yaml.load(text, _UniqueKeys)
    except _Twice as twice:
        raise InvalidModel(f"{name} has the key {str(twice)[:80]!r} twice") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidModel(f"{name} is no YAML{_where(error)}") from None


def _where(error: Exception) -> str:
    """The line, as people count, at which a YAML's reader gave up; empty: not known."""
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1})" if mark else ""


def _depths(text: bytes, name: str) -> Iterator[int]:
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise InvalidModel(f"{name} has anchors or aliases, which are not read")
        if tag := getattr(event, "tag", None):
            raise InvalidModel(f"{name} has the tag {str(tag)[:80]}; plain values are read")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        yield depth


class _UniqueKeys(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise _Twice(str(key))
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Hexadecimal ones may be longer than Python is ready to print."""
        number = super().construct_yaml_int(node)
        if number.bit_length() > _INTEGER_BITS:
            raise ValueError(f"a number of more than {_INTEGER_BITS} bits")
        return int(number)


_UniqueKeys.add_constructor("tag:yaml.org,2002:int", _UniqueKeys.construct_yaml_int)


def require_harmless_template(template: str, name: str) -> None:
    """Refuse a chat template that reaches for the interpreter it is run by.

    Engines run templates in a sandbox of their own, which has been escaped from before.
    """
    require_size(len(template), name, limits.TEMPLATE_BYTES)
    found = _DUNDER.search(template)
    if found:
        raise InvalidModel(f"the chat template of {name} reaches for code ({found[0][:40]!r})")
