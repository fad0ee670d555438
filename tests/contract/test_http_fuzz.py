"""Whatever bytes arrive, in whatever pieces: an answer or a closed connection, never a crash."""

import asyncio
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import structlog
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelium.common.http_limits import ServerLimits
from modelium.common.http_server import bind, serve_http
from tests.http_rig import Recorder, Wire, answers_in, connected

VALID = (
    b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;e=f\r\nhello\r\n0\r\nT: u\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 1\r\n\r\na",
    b"GET /%41 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
)
EDITS = st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=4))
LIMITS = ServerLimits(
    max_header_bytes=400, max_headers=8, header_timeout_s=0.2, body_timeout_s=0.2,
    idle_timeout_s=0.2, linger_s=0.2, max_pipelined=3,
)  # fmt: skip


class Server:
    """A server in a thread of its own, so that one serves all examples."""

    def __init__(self) -> None:
        self.broken: list[dict[str, Any]] = []
        self.bound = bind("127.0.0.1", 0, setting="test")
        self.bound.listen()
        self.port: int = self.bound.getsockname()[1]
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self.runner:
            self.runner.run(self._serve())

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, found: self.broken.append(found))
        self.stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(serve_http(Recorder(), self.bound, limits=LIMITS))
            await self.stop.wait()
            serving.cancel()

    def end(self) -> None:
        self.runner.get_loop().call_soon_threadsafe(self.stop.set)
        self.thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = Server()
    found.thread.start()
    yield found
    found.end()


def edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Cut bytes out and put others in, at parts of the whole."""
    for where, cut, put in edits:
        at = int(where * len(data))
        data = data[:at] + put + data[at + cut :]
    return data


async def exchanged(port: int, pieces: list[bytes]) -> bytes:
    async with connected(port) as wire:
        reading = asyncio.ensure_future(wire.rest())
        await written(wire, pieces)
        async with asyncio.timeout(10):
            return await reading


async def written(wire: Wire, pieces: list[bytes]) -> None:
    """Send each; the server may have closed in between."""
    for piece in pieces:
        if wire.writer.transport.is_closing():
            return
        wire.writer.write(piece)
        await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.001)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    requests=st.lists(st.sampled_from(VALID), min_size=1, max_size=5),
    edits=st.lists(EDITS, max_size=3),
    cuts=st.lists(st.floats(0, 1), max_size=3),
)
def test_any_bytes_end_in_answers_and_a_closed_connection(
    server: Server,
    requests: list[bytes],
    edits: list[tuple[float, int, bytes]],
    cuts: list[float],
) -> None:
    data = edited(b"".join(requests), edits)
    bounds = [0, *sorted(int(cut * len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(bounds)]
    with structlog.testing.capture_logs() as logs:
        received = asyncio.run(exchanged(server.port, pieces))
    # A HEAD's answer announces a body that does not come; a client would know, this parser cannot.
    statuses = [int(line[9:12]) for line in received.split(b"\r\n") if line.startswith(b"HTTP/1")]
    if b"HEAD" not in data:
        answers_in(received)
    assert 500 not in statuses
    assert not server.broken
    assert not [line for line in logs if line["log_level"] == "error"]
