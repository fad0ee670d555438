"""An engine that costs next to nothing: fixed answers and paced streams, on uvloop and httptools.

    python -m benchmarks.load.engine --port 9000

A request says in its text how its stream shall be: `[chunks=200 pace_us=1000]`, a pace of 0 being
as fast as it goes. Every chunk carries the time of its writing (`time.monotonic_ns`, which all
processes of a machine share), so that its reader knows how long it was on its way.
"""

import argparse
import asyncio
import re
import time
from heapq import heappop, heappush
from itertools import count
from typing import Final, cast

import httptools
import uvloop

TICK_S: Final = 0.001
"""The finest that a timer of uvloop is; chunks that are due in one tick are written one by one."""
BURST: Final = 8
"""Chunks of an unpaced stream that are written at once before another stream gets its turn."""

_STREAM: Final = re.compile(rb'"stream"\s*:\s*true')
_USAGE: Final = re.compile(rb'"include_usage"\s*:\s*true')
_SHAPE: Final = re.compile(rb"\[chunks=(\d+) pace_us=(\d+)\]")

_OBJECT: Final = (
    b'{"id":"chatcmpl-bench","object":"chat.completion%s","created":1790000000,"model":"bench",'
    b'"choices":[{"index":0,%s,"finish_reason":%s}]%s}'
)
_USAGE_MEMBER: Final = b'"usage":{"prompt_tokens":200,"completion_tokens":200,"total_tokens":400}'
_TEXT: Final = b"All work and no play makes a dull answer, and this is one of them. " * 11
_ANSWER: Final = _OBJECT % (
    b"",
    b'"message":{"role":"assistant","content":"' + _TEXT + b'"}',
    b'"stop"',
    b"," + _USAGE_MEMBER,
)
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    % len(_ANSWER)
) + _ANSWER
EMPTY: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
MODELS_BODY: Final = b'{"object":"list","data":[{"id":"bench","object":"model","created":0}]}'
MODELS: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    % len(MODELS_BODY)
) + MODELS_BODY
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def framed(data: bytes) -> bytes:
    """One chunk of the chunked coding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta: bytes, reason: bytes = b"null", more: bytes = b"") -> bytes:
    """One event of a stream, framed."""
    return framed(
        b"data: " + _OBJECT % (b".chunk", b'"delta":{' + delta + b"}", reason, more) + b"\n\n"
    )


_CLOCK: Final = b"0" * 19
_BEFORE, _AFTER = event(b'"content":"t=' + _CLOCK + b' "').split(_CLOCK)
_BURST: Final = (_BEFORE + b"%(ns)019d" + _AFTER) * BURST
_LAST: Final = event(b"", b'"stop"')
_LAST_WITH_USAGE: Final = _LAST + framed(
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1790000000,'
    b'"model":"bench","choices":[],' + _USAGE_MEMBER + b"}\n\n"
)
_DONE: Final = framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Stream:
    """One answer on its way; `connection` says whether it may still be written."""

    __slots__ = ("connection", "due_s", "end", "left", "pace_s")

    def __init__(self, connection: "Connection", left: int, pace_s: float, end: bytes) -> None:
        self.connection = connection
        self.left = left
        self.pace_s = pace_s
        self.end = end
        self.due_s = 0.0

    def write(self) -> bool:
        """Write one chunk, a burst or the end; whether anything is left to write."""
        write = self.connection.transport.write
        if self.left == 0:
            write(self.end)
            return False
        if not self.pace_s and self.left >= BURST:
            self.left -= BURST
            write(_BURST % {b"ns": time.monotonic_ns()})
            return True
        self.left -= 1
        write(b"%s%019d%s" % (_BEFORE, time.monotonic_ns(), _AFTER))
        return True


class Pacer:
    """Writes the chunks of all streams when they are due, by one timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: list[tuple[float, int, Stream]] = []
        self._number = count()
        self._ticking = False

    def add(self, stream: Stream) -> None:
        """Begin with its first chunk, now."""
        stream.due_s = self._loop.time()
        if stream.pace_s:
            self._write_due(stream, stream.due_s)
        else:
            self._burst(stream)

    def resume(self, stream: Stream) -> None:
        """Its reader has caught up."""
        if stream.pace_s:
            self._put(stream)
        else:
            self._burst(stream)

    def _put(self, stream: Stream) -> None:
        heappush(self._due, (stream.due_s, next(self._number), stream))
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        now_s = self._loop.time()
        while self._due and self._due[0][0] <= now_s:
            self._write_due(heappop(self._due)[2], now_s)
        self._ticking = bool(self._due)
        if self._ticking:
            wait_s = max(TICK_S, self._due[0][0] - now_s)
            self._loop.call_later(wait_s, self._tick)

    def _write_due(self, stream: Stream, now_s: float) -> None:
        connection = stream.connection
        while stream.due_s <= now_s:
            if connection.closed:
                return
            if connection.paused:
                connection.waiting = stream
                return
            if not stream.write():
                return
            stream.due_s += stream.pace_s
        self._put(stream)

    def _burst(self, stream: Stream) -> None:
        connection = stream.connection
        if connection.closed:
            return
        if connection.paused:
            connection.waiting = stream
        elif stream.write():
            self._loop.call_soon(self._burst, stream)


class Connection(asyncio.Protocol):
    """One connection of a client; requests one after the other."""

    transport: asyncio.Transport

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body = b""
        self.closed = False
        self.paused = False
        self.waiting: Stream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        stream, self.waiting = self.waiting, None
        if stream is not None:
            self._pacer.resume(stream)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._url == b"/v1/models":
            self.transport.write(MODELS)
        elif not self._body:
            self.transport.write(EMPTY)
        elif _STREAM.search(self._body):
            self._stream()
        else:
            self.transport.write(ANSWER)

    def _stream(self) -> None:
        found = _SHAPE.search(self._body)
        chunks, pace_us = map(int, found.groups()) if found else (200, 0)
        last = _LAST_WITH_USAGE if _USAGE.search(self._body) else _LAST
        self.transport.write(STREAM_HEAD)
        self._pacer.add(Stream(self, chunks, pace_us / 1e6, last + _DONE))


async def serve(port: int) -> None:
    """Serve on loopback until cancelled."""
    loop = asyncio.get_running_loop()
    pacer = Pacer(loop)
    server = await loop.create_server(lambda: Connection(pacer), "127.0.0.1", port, backlog=8192)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
