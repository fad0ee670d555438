"""What the gateway reads of a request, and what it leaves as it is."""

import json
import math
from typing import Any

import pytest

from modelium.gateway.edge.call import Call, Headers, parse_call
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.members import LENIENT_BYTES, read_json
from modelium.gateway.edge.paths import find_rule

CHAT = "/v1/chat/completions"
JSON: Headers = [(b"content-type", b"application/json")]


def parse(body: bytes, *, path: str = CHAT, query: bytes = b"", headers: Headers = JSON) -> Call:
    scope = {"path": path, "query_string": query, "headers": headers, "method": "POST"}
    rule = find_rule(path)
    assert rule is not None
    return parse_call(scope, body, rule)


def refusal(body: bytes, **where: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        parse(body, **where)
    return refused.value


def test_a_call_of_json() -> None:
    body = b'{"model": "m", "stream": true, "x": {"deep": [1, "\\u00fc"]}, "n": 1.00}'
    call = parse(body, query=b"a=%20b")
    assert (call.path, call.model, call.stream) == (CHAT + "?a=%20b", "m", True)
    assert call.body is body
    assert call.headers is JSON
    assert call.rule is find_rule(CHAT)
    assert call.include_usage is None


@pytest.mark.parametrize(
    ("members", "model", "stream"),
    [
        ('"model": "a", "model": "b"', "b", False),  # as every engine reads it
        ('"mod\\u0065l": "a"', "a", False),
        ('"model": "m", "stream": null', "m", False),
        ('"model": "m", "stream": false, "stream": true', "m", True),
        ('"Model": "x", "model": "m"', "m", False),
        # What engines take although it is not JSON to the letter:
        ('"model": "m", "x": "\\ud800"', "m", False),
        ('"model": "m", "top_p": NaN', "m", False),
    ],
)
def test_odd_json(members: str, model: str, stream: bool) -> None:
    call = parse(f"{{{members}}}".encode())
    assert (call.model, call.stream) == (model, stream)


def test_the_model_is_the_one_that_an_engine_would_read() -> None:
    body = b'{"model": "a", "x": {"model": "no"}, "model": "b", "mod\\u0065l": "c"}'
    assert parse(body).model == json.loads(body)["model"] == "c"


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        (b'{"model": "m",, }', None, "line 1 column 15"),
        (b'{"model": "m"} x', None, "Extra data: line 1 column 16"),
        (b"", None, "not valid JSON"),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None, "recursion"),
        (b"[]", None, "must be a JSON object"),
        (b"null", None, "must be a JSON object"),
        (b"{}", "model", "the member 'model'"),
        (b'{"model": ""}', "model", "the member 'model'"),
        (b'{"model": null}', "model", "'model' is wrong: expected `str`, got `null`"),
        (b'{"model": "m", "stream": 1}', "stream", "'stream' is wrong"),
        (b'{"model": "m", "stream_options": []}', "stream_options", "'stream_options' is wrong"),
        (
            b'{"model": "m", "stream_options": {"include_usage": "y"}}',
            "stream_options.include_usage",
            "expected `bool | null`, got `str`",
        ),
        (b'{"model": "m", "keep_alive": true}', "keep_alive", "'keep_alive' is wrong"),
        (b'{"model": "m", "keep_alive": "soon"}', "keep_alive", "duration such as '5m'"),
        (b'{"model": "m", "keep_alive": 1' + b"0" * 400 + b"}", "keep_alive", "'keep_alive'"),
    ],
)
def test_a_wrong_body_is_400_with_where_and_what(body: bytes, param: str | None, says: str) -> None:
    error = refusal(body)
    assert (error.status, error.code, error.param) == (400, "invalid_request", param)
    assert says in error.message
    assert len(error.message) < 400


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("null", None),
        ("{}", False),
        ('{"include_usage": true}', True),
        ('{"include_usage": false}', False),
    ],
)
def test_what_the_client_said_of_usage(options: str, said: bool | None) -> None:
    body = f'{{"model": "m", "stream": true, "stream_options": {options}}}'.encode()
    assert parse(body).include_usage is said


def test_a_route_without_streams_has_none_whatever_the_body_says() -> None:
    assert not parse(b'{"model": "m", "stream": true}', path="/v1/embeddings").stream


@pytest.mark.parametrize(
    "headers", [[], [(b"content-type", b"application/x-www-form-urlencoded")]], ids=str
)
def test_json_that_is_not_called_json_is_called_so_for_the_engine(headers: Headers) -> None:
    call = parse(b'{"model": "m"}', headers=[*headers, (b"accept", b"*/*")])
    assert call.headers == [(b"accept", b"*/*"), (b"content-type", b"application/json")]


def test_a_compressed_body_is_415() -> None:
    error = refusal(b"\x1f\x8b", headers=[(b"content-encoding", b"gzip")])
    assert (error.status, error.code) == (415, "unsupported_media_type")
    assert "gzip" in error.message
    assert parse(b'{"model": "m"}', headers=[(b"content-encoding", b"identity")]).model == "m"


def test_a_model_in_the_path_leaves_the_body_alone() -> None:
    path = "/v2/models/m.1/versions/3/infer"
    headers = [(b"content-encoding", b"gzip"), (b"prefer", b"wait=3")]
    call = parse(b"\x00tensors", path=path, query=b"x=1", headers=headers)
    assert (call.path, call.model, call.stream) == (path + "?x=1", "m.1", False)
    assert (call.body, call.headers, call.preferences.wait_s) == (b"\x00tensors", headers, 3)


def test_preferences_come_from_headers_and_body() -> None:
    headers = [*JSON, (b"prefer", b"respond-async"), (b"x-request-timeout", b"2.5")]
    preferences = parse(b'{"model": "m", "keep_alive": -1}', headers=headers).preferences
    assert preferences.respond_async
    assert preferences.deadline_s == 2.5
    assert preferences.keep_alive_s == math.inf


def test_a_path_that_can_name_no_model_is_404() -> None:
    error = refusal(b"", path="/v2/models/a\r\nb/infer")
    assert (error.status, error.code) == (404, "model_not_found")


def test_a_large_body_that_is_wrong_is_not_tried_with_the_slow_parser() -> None:
    padding = b"1," * LENIENT_BYTES
    for member, says in ((b'"x": NaN', "not valid JSON"), (b'"stream": "yes"', "'stream'")):
        body = b'{"model": "qwen", "data": [%b1], %b}' % (padding, member)
        with pytest.raises(ApiError, match=says):
            read_json(body)
