"""Passes an engine's answer to the client byte for byte, and notices when it is none.

Until the first byte of the body has gone to the client, a dead engine is `EngineGone` and the
request can be sent again; after it, the failure is told to the client. An engine that is being
stopped answers 500, or ends its answers with `finish_reason: abort`: neither is an answer.
"""

import json
import re
from typing import Final

from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.call import Headers
from modelium.gateway.edge.client import Client
from modelium.gateway.engines.upstream import EngineGone, Reply

_STOPPING: Final = (
    b"cannot schedule new futures after shutdown",
    b"EngineDeadError",
    b"EngineCore encountered an issue",
)
"""In the 500 of an engine that has stopped working."""
_ABORTED: Final = re.compile(rb'"(?:finish|stop)_reason":\s*"abort"')
# In a string of the answer itself every quote is escaped, so the pattern cannot match there.
_ABORT: Final = "it is being stopped and aborted the request"
_MAX_ERROR_BYTES: Final = 1 << 20
_GAP: Final = 40
"""Bytes of the previous chunk in which a split pattern may begin."""


async def relay(reply: Reply, client: Client, *, ends_with_done: bool) -> None:
    """Send the whole answer.

    Raises:
        EngineGone: nothing was sent yet but perhaps a stream's headers.
        ApiError: the engine stopped in the middle of its answer.
    """
    if reply.status == 500:
        await _relay_error(reply, client)
    elif reply.status == 200 and _is_stream(reply.headers):
        await _relay_stream(reply, client, ends_with_done=ends_with_done)
    elif client.started:
        await _end_stream_with(await _read_all(reply), client)
    else:
        await _relay_plain(reply, client)


def _is_stream(headers: Headers) -> bool:
    return any(n == b"content-type" and v.startswith(b"text/event-stream") for n, v in headers)


async def _relay_error(reply: Reply, client: Client) -> None:
    body = await _read_all(reply)
    if any(mark in body for mark in _STOPPING):
        raise EngineGone("it is being stopped", reached=True)
    if client.started:
        await _end_stream_with(body, client)
    else:
        await client.start(reply.status, reply.headers)
        await client.finish(body)


async def _read_all(reply: Reply) -> bytes:
    body = bytearray()
    while len(body) < _MAX_ERROR_BYTES and (chunk := await reply.read()):
        body += chunk
    return bytes(body)


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


async def _relay_plain(reply: Reply, client: Client) -> None:
    chunk = await reply.read()
    if b"abort" in chunk and _ABORTED.search(chunk):
        raise EngineGone(_ABORT, reached=True)
    await client.start(reply.status, reply.headers)
    if (b"content-length", b"%d" % len(chunk)) in reply.headers:
        await client.finish(chunk)
        return
    while chunk:
        await client.body(chunk)
        before, chunk = chunk, await _read_more(reply)
        if _ABORTED.search(before[-_GAP:] + chunk):
            raise _interrupted(_ABORT)
    await client.finish()


async def _relay_stream(reply: Reply, client: Client, *, ends_with_done: bool) -> None:
    await client.start_stream(_open_ended(reply.headers))
    before, chunk = b"", await reply.read()
    if not chunk or _aborted_at(before, chunk) == 0:
        raise EngineGone("it ended before its first byte", reached=True)
    while chunk:
        if (cut := _aborted_at(before, chunk)) >= 0:
            await client.body(chunk[:cut])
            raise _interrupted(_ABORT)
        await client.body(chunk)
        before = chunk if len(chunk) >= _GAP else before[-_GAP:] + chunk
        chunk = await _read_more(reply)
    if ends_with_done and b"[DONE]" not in before[-_GAP:]:
        raise _interrupted("it ended the stream without [DONE]")
    await client.finish()


async def _read_more(reply: Reply) -> bytes:
    try:
        return await reply.read()
    except EngineGone as gone:
        raise _interrupted(gone.reason) from gone


def _aborted_at(before: bytes, chunk: bytes) -> int:
    """Where in `chunk` the event begins that says aborted; -1: nowhere."""
    tail = b"" if before.endswith(b"\n\n") else before[-_GAP:]
    text = tail + chunk
    if b"abort" not in text:
        return -1
    found = _ABORTED.search(text)
    if found is None:
        return -1
    boundary = text.rfind(b"\n\n", 0, found.start())
    return max(0, boundary + 2 - len(tail)) if boundary >= 0 else 0


def _open_ended(headers: Headers) -> Headers:
    """Leave room for an error event, and ask proxies in front of us to pass events on at once."""
    kept = [header for header in headers if header[0] != b"content-length"]
    if any(name == b"x-accel-buffering" for name, _ in kept):
        return kept
    return [*kept, (b"x-accel-buffering", b"no")]


def _interrupted(reason: str) -> errors.ApiError:
    return errors.backend_error(f"The engine stopped in the middle of its answer: {reason}.")
