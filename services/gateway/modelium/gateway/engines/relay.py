"""Passes an engine's answer to the client byte for byte, and notices when it is none.

Until the first byte of the body has gone to the client, a dead engine is `EngineGone` and the
request can be sent again; after it, the failure is told to the client. An engine that is being
stopped answers 500, or ends its answers with `finish_reason: abort`: neither is an answer.
"""

import json
from dataclasses import dataclass, field
from typing import Final

from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.call import Headers
from modelium.gateway.edge.client import Client
from modelium.gateway.engines.sse import ABORTED, StreamTap
from modelium.gateway.engines.tokens import (
    Tokens,
    read_usage,
    read_usage_at_the_end,
    says_aborted,
)
from modelium.gateway.engines.upstream import EngineGone, Reply

_STOPPING: Final = (
    b"cannot schedule new futures after shutdown",
    b"EngineDeadError",
    b"EngineCore encountered an issue",
)
"""In the 500 of an engine that has stopped working."""
_ABORT: Final = "it is being stopped and aborted the request"
MAX_WHOLE_BYTES: Final = 1 << 20
"""A JSON answer up to this size is sent in one piece, and lost with its engine only as a whole."""
_TAIL_BYTES: Final = 1024


@dataclass(slots=True, eq=False)
class Passage:
    """How one answer is passed on, and what it said it took."""

    ends_with: frozenset[bytes] = frozenset()
    """What the last event of a whole stream is called: one of these; empty: nobody knows."""
    hide_usage: bool = False
    """Whether the event that tells the usage was asked for by us, not by the client."""
    finishes: bool = False
    """Whether its answers end with choices and their finish reasons, and nothing of the client."""
    fingerprint: bytes | None = None
    """As the engine writes it; None: it is not known yet."""
    tokens: Tokens = field(default_factory=Tokens)
    events: int = 0
    """Events of a stream that were passed on."""


async def relay(reply: Reply, client: Client, passage: Passage) -> None:
    """Send the whole answer.

    Raises:
        EngineGone: nothing was sent yet but perhaps a stream's headers.
        ApiError: the engine stopped in the middle of its answer.
    """
    kind, length = _shape(reply.headers)
    if reply.status == 500:
        await _relay_error(reply, client)
    elif reply.status == 200 and kind.startswith(b"text/event-stream"):
        await _relay_stream(reply, client, passage)
    elif client.started:
        await _end_stream_with(await _read_all(reply), client)
    elif kind.startswith(b"application/json") and length <= MAX_WHOLE_BYTES:
        await _relay_whole(reply, client, passage)
    else:
        await _relay_parts(reply, client, passage, b"")


def _shape(headers: Headers) -> tuple[bytes, int]:
    """The content type and the length; 0 where it is not said."""
    kind, length = b"", 0
    for name, value in headers:
        if name == b"content-type":
            kind = value
        elif name == b"content-length":
            length = int(value)
    return kind, length


async def _relay_error(reply: Reply, client: Client) -> None:
    body = await _read_all(reply)
    if any(mark in body for mark in _STOPPING):
        raise EngineGone("it is being stopped", reached=True)
    if await client.has_begun():
        await _end_stream_with(body, client)
    else:
        await client.whole(reply.status, reply.headers, body)


async def _read_all(reply: Reply) -> bytes:
    """All of it, or a little more than `MAX_WHOLE_BYTES`."""
    body = await reply.read()
    while body and len(body) <= MAX_WHOLE_BYTES and (chunk := await reply.read()):
        body += chunk
    return body


async def _end_stream_with(body: bytes, client: Client) -> None:
    """Tell an engine's refusal to a client whose stream has begun while it waited."""
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if isinstance(value, dict) and "error" in value:
        await client.fail_raw(json.dumps(value).encode())
    else:
        text = body[:500].decode(errors="replace")
        await client.fail(errors.backend_error(f"The engine did not stream an answer: {text}"))


async def _relay_whole(reply: Reply, client: Client, passage: Passage) -> None:
    body = await _read_all(reply)
    if await client.has_begun():
        await _end_stream_with(body, client)
        return
    if len(body) > MAX_WHOLE_BYTES:
        await _relay_parts(reply, client, passage, body)
        return
    if b"abort" in body and ABORTED.search(body) and says_aborted(body):
        raise EngineGone(_ABORT, reached=True)
    if b'"usage"' in body:
        read_usage(body, passage.tokens)
    await client.whole(reply.status, reply.headers, body)


async def _relay_parts(reply: Reply, client: Client, passage: Passage, chunk: bytes) -> None:
    """Pass on what may be large, or never end, as it comes."""
    chunk = chunk or await reply.read()
    if await client.has_begun():
        # A comment came between its headers and its body.
        await _end_stream_with(chunk + await _read_all(reply), client)
        return
    await client.start(reply.status, reply.headers)
    tail = b""
    while chunk:
        await client.body(chunk)
        tail = (tail + chunk)[-_TAIL_BYTES:]
        chunk = await _read_more(reply)
    if passage.finishes and ABORTED.search(tail):
        raise _interrupted(_ABORT)
    read_usage_at_the_end(tail, passage.tokens)
    await client.finish()


async def _relay_stream(reply: Reply, client: Client, passage: Passage) -> None:
    hide, known = passage.hide_usage, passage.fingerprint
    tap = StreamTap(passage.tokens, hide_usage=hide, fingerprint=known)
    headers = _open_ended(reply.headers)
    chunk = await reply.read()
    if not chunk:
        raise EngineGone("it ended before its first byte", reached=True)
    while chunk:
        passed = tap.feed(chunk)
        if passed:
            if not client.started:
                await client.start_stream(headers)
            await client.body(passed)
            passage.events = tap.events
        client.in_event = tap.in_parts
        if tap.aborted:
            raise _gone(client, _ABORT)
        try:
            chunk = await reply.read()
        except EngineGone as gone:
            raise _gone(client, gone.reason) from gone
    await _end_stream(tap, client, headers, passage)


async def _end_stream(tap: StreamTap, client: Client, headers: Headers, passage: Passage) -> None:
    rest = tap.rest()
    if not tap.ended(passage.ends_with):
        raise _gone(client, "it ended the stream without its last event")
    passage.fingerprint = tap.fingerprint
    await client.start_stream(headers)
    await client.finish(rest)


async def _read_more(reply: Reply) -> bytes:
    try:
        return await reply.read()
    except EngineGone as gone:
        raise _interrupted(gone.reason) from gone


def _open_ended(headers: Headers) -> Headers:
    """Leave room for an error event, and ask proxies in front of us to pass events on at once."""
    kept = [header for header in headers if header[0] != b"content-length"]
    if any(name == b"x-accel-buffering" for name, _ in kept):
        return kept
    return [*kept, (b"x-accel-buffering", b"no")]


def _gone(client: Client, reason: str) -> EngineGone | errors.ApiError:
    """Another engine may try as long as the client has no byte of the answer."""
    if client.first_byte_s is None:
        return EngineGone(reason, reached=True)
    return _interrupted(reason)


def _interrupted(reason: str) -> errors.ApiError:
    return errors.backend_error(f"The engine stopped in the middle of its answer: {reason}.")
