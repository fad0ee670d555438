"""Whatever a client sends: the gateway means the same model as the engine behind it."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.members import read_json

names = st.text(min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
members = st.lists(
    st.tuples(st.just("model"), names)
    | st.tuples(st.just("stream"), st.booleans() | st.none())
    | st.tuples(st.sampled_from(["Model", "models", " model", "x", "messages"]), values),
    max_size=6,
)


def escaped(text: str) -> str:
    return '"' + "".join(f"\\u{unit:04x}" for unit in utf16(text)) + '"'


def utf16(text: str) -> list[int]:
    data = text.encode("utf-16-be")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def text_of(pairs: list[tuple[str, Any]], spell: Any) -> bytes:
    inside = ",".join(f"{spell(name)}: {json.dumps(value)}" for name, value in pairs)
    return f"{{{inside}}}".encode()


@given(members, st.sampled_from([json.dumps, escaped]))
def test_of_objects(pairs: list[tuple[str, Any]], spell: Any) -> None:
    body = text_of(pairs, spell)
    expected = json.loads(body)
    if "model" not in expected:
        assert refuses(body)
        return
    read = read_json(body)
    assert (read.model, read.stream) == (expected["model"], expected.get("stream"))


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode) | values.map(json.dumps))
def test_of_anything(body: bytes | str) -> None:
    """Nothing but an answer or an error of ours comes of it."""
    data = body.encode() if isinstance(body, str) else body
    assert refuses(data) or json.loads(data)["model"]


def refuses(body: bytes) -> bool:
    try:
        read_json(body)
    except ApiError as error:
        return error.status == 400
    return False
