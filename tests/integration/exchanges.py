"""Requests and answers as varied as clients and engines write them, each made from its seed."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from tests.integration.raw_http import Headers, Message, Reply

MIB: Final = 1 << 20
USAGE: Final = '"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}'
TEXTS: Final = (
    *("hi", 'quote " and \\ and /', "line\nbreak\ttab", "emoji \U0001f600", "\u00fcml\u00e4ut"),
    *("\u2028\u2029", "\u0000\u001f\u007f", '"stream":true', 'data: {"finish_reason": "abort"}'),
    *("x" * 70_000, ""),
)


class Raw(str):
    """A spelling of a JSON value that is kept: numbers above all."""


@dataclass(frozen=True)
class Exchange:
    """One request, and what the engine answers to it."""

    request: bytes
    body: bytes
    streams: bool
    answer: Callable[[Message], Reply]


@dataclass(frozen=True)
class Family:
    """Routes that are asked in one way."""

    model: str
    paths: tuple[str, ...]
    members: Callable[[random.Random], dict[str, Any]]
    streams: bool = False
    ends_with_done: bool = False


def spelled(pick: random.Random, value: Any) -> str:
    """`value` as JSON, with the liberties that JSON leaves to the one who writes it."""
    space = pick.choice(["", "", " ", "\n  ", "\t", "\r\n"])
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        members = [f"{_string(pick, k)}{space}:{space}{spelled(pick, v)}" for k, v in value.items()]
        pick.shuffle(members)
        return "{" + space + f"{space},{space}".join(members) + space + "}"
    if isinstance(value, list):
        return "[" + f"{space},".join(spelled(pick, item) for item in value) + space + "]"
    return _string(pick, value) if isinstance(value, str) else json.dumps(value)


def _string(pick: random.Random, text: str) -> str:
    written = json.dumps(text, ensure_ascii=pick.random() < 0.5)
    how = pick.random()
    if how < 0.05 and "e" in text:
        return written.replace("e", "\\u0065", 1) if "\\" not in written else written
    return written.replace("/", "\\/") if how < 0.2 else written


def _text(pick: random.Random) -> str:
    return "y" * MIB if pick.random() < 0.03 else pick.choice(TEXTS)


def _odd(pick: random.Random) -> dict[str, Any]:
    decoy = {"model": "other", "stream": True, "stream_options": {"include_usage": True}}
    some = {
        "temperature": Raw(pick.choice(["1.00e0", "0.1000", "1E-2", "0"])),
        "x_unknown": {"b": 1, "a": [None, True, Raw("0.10")], "deep": decoy},
        "metadata": decoy,
        "seed": Raw("12345678901234567890"),
        "user": _text(pick),
    }
    return {name: some[name] for name in pick.sample(sorted(some), pick.randint(0, 4))}


def _chat(pick: random.Random) -> dict[str, Any]:
    url = "data:image/png;base64," + "iVBOR/+" * pick.choice([1, 500])
    image = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    function = {"name": "f", "arguments": '{"a": "\\u00e9"}'}
    call = {"id": "c1", "type": "function", "function": function}
    parameters = {"type": "object", "properties": {"model": {"type": "string"}}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": _text(pick)},
        {"role": "user", "content": [{"type": "text", "text": _text(pick)}, image]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": _text(pick)},
    ]
    options = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}],
        "logprobs": True,
        "top_logprobs": 3,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
    }
    chosen = {name: options[name] for name in pick.sample(sorted(options), pick.randint(0, 4))}
    return {"messages": messages[: pick.randint(1, 4)], **chosen}


def _stream_options(pick: random.Random) -> dict[str, Any]:
    wanted = pick.choice([None, None, True, True, False])
    given = {} if wanted is None else {"include_usage": wanted}
    if pick.random() < 0.3:
        given |= {"include_obfuscation": False, "x_unknown": Raw("1.00e0")}
    return {"stream_options": given} if given else {}


FAMILIES: Final = {
    "chat": Family("qwen", ("/v1/chat/completions",), _chat, streams=True, ends_with_done=True),
    "completions": Family(
        "qwen",
        ("/v1/completions",),
        lambda pick: {"prompt": pick.choice([_text(pick), [1, 2, 3]]), "echo": True},
        streams=True,
        ends_with_done=True,
    ),
    "messages": Family(
        "qwen",
        ("/v1/messages", "/v1/messages/count_tokens"),
        lambda pick: {"max_tokens": 9, "messages": [{"role": "user", "content": _text(pick)}]},
        streams=True,
    ),
    "responses": Family(
        "qwen", ("/v1/responses",), lambda pick: {"input": _text(pick)}, streams=True
    ),
    "embeddings": Family(
        "embed",
        ("/v1/embeddings", "/pooling", "/v2/embed"),
        lambda pick: {"input": [_text(pick), _text(pick)], "encoding_format": "base64"},
    ),
    "rerank": Family(
        "rank",
        ("/rerank", "/v1/rerank", "/score", "/v1/score", "/classify"),
        lambda pick: {"query": _text(pick), "documents": [_text(pick)], "input": "x"},
    ),
    "tokenize": Family(
        "qwen",
        ("/tokenize", "/detokenize"),
        lambda pick: {"prompt": _text(pick), "tokens": [1, 2]},
    ),
}


def exchange(family: Family, seed: int) -> Exchange:
    """The request and the answer of this seed."""
    pick = random.Random(seed)
    members = {"model": family.model, **family.members(pick), **_odd(pick)}
    streams = family.streams and pick.random() < 0.6
    if streams:
        members["stream"] = True
        if family.ends_with_done:
            members |= _stream_options(pick)
    elif pick.random() < 0.3:
        members["stream"] = False
    padding = pick.choice(["", "", " ", "\n"])
    body = (padding + spelled(pick, members) + padding).encode()
    request = as_request(pick, pick.choice(family.paths), body, b"application/json")
    fails = pick.random() < 0.25
    answer = _answer(seed, family, fails=fails, streams=streams)
    return Exchange(request, body, streams and not fails, answer)


def multipart_exchange(seed: int) -> Exchange:
    """A sound file to be written down."""
    pick = random.Random(seed)
    boundary = b"--b%d" % seed
    sound = pick.randbytes(pick.choice([0, 10, 5_000, MIB]))
    name = "s\u00f6und.wav" if seed % 2 else "a.wav"
    head = f'name="file"; filename="{name}"\r\nContent-Type: audio/wav'.encode()
    parts = [(b'name="model"', b"sound"), (head, sound), (b'name="temperature"', b"0.0")]
    pick.shuffle(parts)
    body = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (boundary, about, content)
        for about, content in parts
    )
    body += b"--%b--\r\n" % boundary
    path = pick.choice(["/v1/audio/transcriptions", "/v1/audio/translations"])
    request = as_request(pick, path, body, b"multipart/form-data; boundary=" + boundary)
    fails = pick.random() < 0.25
    family = Family("sound", (path,), lambda _: {})
    return Exchange(request, body, False, _answer(seed, family, fails=fails, streams=False))


def as_request(pick: random.Random, path: str, body: bytes, kind: bytes) -> bytes:
    """The bytes of a POST, with headers and a query as somebody may send them."""
    query = pick.choice(["", "", "?a=%20b&c=%2F", "?x=1&x=2&empty=", "?a=b?c/d+e"])
    odd = [
        b'X-Odd: a, b;c="d"',
        b"X-Twice: 1",
        b"x-twice: 2",
        b"X-Empty:",
        b"X-Latin: caf\xe9",
        b"Accept-Encoding: gzip, br",
        b"OpenAI-Organization: org-1",
        b"anthropic-version: 2026-10-21",
        b"User-Agent: test/1.0 (a; b)",
        b"X-Long: " + b"l" * 4_000,
    ]
    chosen = sorted(pick.sample(odd, pick.randint(0, len(odd))), key=odd.index)
    lines = [b"POST %b HTTP/1.1" % (path + query).encode(), b"Host: somewhere"]
    lines += [*chosen, b"Content-Type: " + kind, b"Accept: */*"]
    if pick.random() < 0.3:
        pieces = _split(pick, body)
        lines.append(b"Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _split(pick: random.Random, data: bytes) -> list[bytes]:
    """In pieces, cut anywhere; never an empty one."""
    count = min(pick.choice([0, 1, 3, 20]), max(0, len(data) - 1))
    cuts = [0, *sorted(pick.sample(range(1, max(2, len(data))), count)), len(data)]
    return [data[a:b] for a, b in pairwise(cuts) if a < b]


def _answer(seed: int, family: Family, *, fails: bool, streams: bool) -> Callable[[Message], Reply]:
    """What the engine answers; the same at every call but for a usage that was asked for."""

    def answer(request: Message) -> Reply:
        pick = random.Random(seed + 1_000_000)
        if fails:
            status = pick.choice([400, 404, 422, 429, 500])
            error = {"error": {"message": _text(pick), "type": "t", "param": None, "code": status}}
            headers = [(b"retry-after", b"7")] if status == 429 else []
            body = spelled(pick, error).encode()
            return _reply(pick, status, b"application/json", headers, body)
        if streams:
            wanted = family.ends_with_done and _asks_for_usage(bytes(request.body))
            body = _events(pick, family, with_usage=wanted)
            kind = pick.choice([b"text/event-stream; charset=utf-8", b"text/event-stream"])
            return Reply(200, _headers(pick, kind), _split(pick, body), chunked=True)
        text = spelled(pick, {"text": _text(pick)}).encode()
        body = pick.choice([b"", pick.randbytes(MIB), text])
        kind = pick.choice([b"application/json", b"audio/mpeg", b"text/plain; charset=latin-1"])
        return _reply(pick, 200, kind, [(b"content-encoding", b"gzip")][seed % 4 :], body)

    return answer


def _asks_for_usage(body: bytes) -> bool:
    return bool((json.loads(body).get("stream_options") or {}).get("include_usage"))


def _reply(pick: random.Random, status: int, kind: bytes, more: Headers, body: bytes) -> Reply:
    headers = [*_headers(pick, kind), *more]
    return Reply(status, headers, _split(pick, body), chunked=pick.random() < 0.3)


def _headers(pick: random.Random, kind: bytes) -> Headers:
    odd = [(b"X-Many", b"a"), (b"x-many", b"b"), (b"X-Empty", b""), (b"Cache-Control", b"no-store")]
    odd += [(b"x-latin", b"caf\xe9"), (b"Set-Cookie", b"a=b; Path=/"), (b"ETag", b'"1"')]
    chosen = sorted(pick.sample(odd, pick.randint(0, len(odd))), key=odd.index)
    return [(b"Content-Type", kind), *chosen, (b"Server", b"told"), (b"X-Request-Id", b"engine-1")]


def _events(pick: random.Random, family: Family, *, with_usage: bool) -> bytes:
    """A stream; chat and completions end with [DONE], after their usage if it is wanted."""
    end = pick.choice(["\n", "\n", "\r\n"])
    colon = pick.choice(["data: ", "data: ", "data:"])
    events = []
    for _ in range(pick.randint(1, 12)):
        choices = [{"index": 0, "delta": {"content": _text(pick)}, "finish_reason": None}]
        name = "" if family.ends_with_done else f"event: content_block_delta{end}"
        data = {"id": "c", "object": "o", "choices": choices}
        events.append(name + colon + json.dumps(data, ensure_ascii=pick.random() < 0.5))
        if pick.random() < 0.2:
            events.append(pick.choice([": comment", ":", f"id: 7{end}retry: 10{end}{colon}{{}}"]))
    if family.ends_with_done:
        # As vLLM does it: the fingerprint stands in the last event with an object.
        finish = '{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]'
        fingerprint = ',"system_fingerprint":"fp-1"'
        events.append(colon + finish + ("}" if with_usage else fingerprint + "}"))
        if with_usage:
            events.append(colon + '{"id":"c","choices":[],' + USAGE + fingerprint + "}")
        events.append(colon + "[DONE]")
    elif family is FAMILIES["messages"]:
        events.append(f"event: message_stop{end}{colon}{{}}")
    elif family is FAMILIES["responses"]:
        events.append(f"event: response.completed{end}{colon}{{}}")
    return "".join(event + end + end for event in events).encode()
