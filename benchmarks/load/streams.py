"""Reads many streams at once and says how they came: as a program that prints one line of JSON.

    python -m benchmarks.load.streams --port 9000 --connections 32 --seconds 2 --pace-us 1000

Each connection sends its next request when the last answer has ended, until the time is over; with
`--once` each sends one request and waits for its end, however long. uvloop and httptools, and no
task per stream: the reader must cost less than what is measured.
"""

import argparse
import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from typing import Final, cast

import httptools
import uvloop

from benchmarks.load.request import PATH, body

_CLOCK: Final = re.compile(rb"t=(\d{19})")
_CLOCK_BYTES: Final = 21


@dataclass
class Count:
    """What was read, in all."""

    chunks: int = 0
    requests: int = 0
    complete: int = 0
    not_ok: int = 0
    broken: int = 0
    first_ns: list[int] = field(default_factory=list)
    delay_ns: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Reader(asyncio.Protocol):
    """One connection with one stream at a time."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self.on_body = self._parts.append
        self._parser = httptools.HttpResponseParser(self)
        self._sent_ns = 0
        self._now_ns = 0
        self._chunks = 0
        self._done = False
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        self._chunks, self._done = 0, False
        self._parts.clear()
        self._load.count.requests += 1
        self._sent_ns = time.monotonic_ns()
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._now_ns = time.monotonic_ns()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._load.note(repr(error))
            self.close()
        else:
            self._look()

    def _look(self) -> None:
        """At what the last read brought, all at once: a call per chunk would cost too much."""
        count, now_ns = self._load.count, self._now_ns
        data = b"".join(self._parts)
        self._parts.clear()
        clocks = _CLOCK.findall(data)
        if clocks and self._chunks == 0:
            count.first_ns.append(now_ns - self._sent_ns)
        self._chunks += len(clocks)
        count.chunks += len(clocks)
        if self._load.is_paced:
            count.delay_ns.extend(now_ns - int(clock) for clock in clocks)
        end = data.rfind(clocks[-1]) + len(clocks[-1]) if clocks else 0
        self._parts.append(data[max(end, len(data) - _CLOCK_BYTES) :])
        self._done = self._done or b"[DONE]" in data

    def on_message_complete(self) -> None:
        self._look()
        load = self._load
        whole = self._done and self._chunks == load.chunks
        if self._parser.get_status_code() != 200:
            load.count.not_ok += 1
            load.note(f"HTTP {self._parser.get_status_code()}: {self._parts}")
        elif whole:
            load.count.complete += 1
        else:
            load.count.broken += 1
            load.note(f"{self._chunks} chunks, done: {self._done}")
        if load.once:
            self.ended = True
            load.one_ended()
        elif not load.over:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended and not self._load.over:
            self._load.count.broken += 1
            self._load.note(f"the connection ended after {self._chunks} chunks: {exc!r}")
            self.ended = True
            self._load.one_ended()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Load:
    """All connections of a run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.count = Count()
        self.chunks: int = options.chunks
        self.is_paced: bool = options.pace_us > 0
        self.once: bool = options.once
        self.over = False
        self._port: int = options.port
        self._connections: int = options.connections
        self._ramp_s: float = options.ramp
        self._seconds: float = options.seconds
        self._left = options.connections
        self._all_ended = asyncio.Event()
        self._readers: list[Reader] = []
        self.request = _request(options)

    def note(self, error: str) -> None:
        """Keep the first few errors to tell."""
        if len(self.count.errors) < 5:
            self.count.errors.append(error)

    def one_ended(self) -> None:
        """A connection has nothing more to do."""
        self._left -= 1
        if self._left <= 0:
            self._all_ended.set()

    async def run(self) -> float:
        """Open, read, close; the seconds in which chunks were read."""
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._connections):
                group.create_task(self._open())
                await asyncio.sleep(self._ramp_s / self._connections)
            if self.once:
                await self._all_ended.wait()
        if not self.once:
            await asyncio.sleep(max(0.0, self._seconds - (time.monotonic() - began_s)))
        self.over = True
        took_s = time.monotonic() - began_s
        for reader in self._readers:
            reader.close()
        return took_s

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, reader = await loop.create_connection(lambda: Reader(self), "127.0.0.1", self._port)
        except OSError as error:
            self.count.broken += 1
            self.note(repr(error))
            self.one_ended()
        else:
            self._readers.append(reader)


def _request(options: argparse.Namespace) -> bytes:
    content = body(model=options.model, stream=True, chunks=options.chunks, pace_us=options.pace_us)
    lines = [
        f"POST {PATH} HTTP/1.1",
        f"host: 127.0.0.1:{options.port}",
        "content-type: application/json",
        f"content-length: {len(content)}",
        *options.header,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _percentiles(values_ns: list[int]) -> dict[str, float]:
    ordered = sorted(values_ns)
    if not ordered:
        return {}
    at = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    last = len(ordered) - 1
    return {name: ordered[min(last, int(len(ordered) * part))] / 1e6 for name, part in at.items()}


async def _run(options: argparse.Namespace) -> None:
    load = Load(options)
    took_s = await load.run()
    count = load.count
    print(
        json.dumps(
            {
                "seconds": took_s,
                "chunks": count.chunks,
                "requests": count.requests,
                "complete": count.complete,
                "not_ok": count.not_ok,
                "broken": count.broken,
                "first": _percentiles(count.first_ns),
                "delay": _percentiles(count.delay_ns),
                "errors": count.errors,
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--once", action="store_true", help="one request each, to its end")
    parser.add_argument("--ramp", type=float, default=0.05, help="seconds to open them all in")
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--pace-us", type=int, default=0)
    parser.add_argument("--model", default="bench")
    parser.add_argument("--header", action="append", default=[], help="name: value")
    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
