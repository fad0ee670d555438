"""A client that does not read, behind it an engine that sends as fast as it can."""

import asyncio
from typing import Any

from tests.http_rig import connected
from tests.integration.gateway_rig import running_gateway

PART = b"data: " + b"x" * 49_992 + b"\n\n"
PARTS = 1000
KERNEL_BYTES = 44 << 20
"""Less than all. Linux lets a buffer grow to 4 MB for sending, to 32 MB for receiving; that of the
client is small."""


class FastEngine:
    """Streams 50 MB, and counts what was taken from it."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.stuck = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        gone = asyncio.Event()
        scope["extensions"]["modelium.gone"](gone.set)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(PARTS):
            await self._send(send, PART)
            if gone.is_set():
                break
        else:
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
        self.ended.set()

    async def _send(self, send: Any, part: bytes) -> None:
        sending = asyncio.ensure_future(
            send({"type": "http.response.body", "body": part, "more_body": True})
        )
        done, _ = await asyncio.wait([sending], timeout=0.5)
        if not done:
            self.stuck.set()
        await sending
        self.sent_bytes += len(part)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def request() -> bytes:
    body = b'{"model": "qwen", "prompt": "a", "stream": true}'
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
    return b"%b%d\r\n\r\n%b" % (head, len(body), body)


async def test_the_engine_waits_for_the_client_and_nothing_is_lost() -> None:
    engine = FastEngine()
    async with running_gateway() as rig:
        await rig.loaded(rig.serve(engine))
        port = port_of(rig.url)
        async with connected(port, receive_bytes=65536) as wire:
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await wire.send(request())
            await engine.stuck.wait()
            assert engine.sent_bytes < KERNEL_BYTES, "what the network between the two keeps"
            wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
            received = await wire.rest()
    assert received.count(PART[:20]) == PARTS
    assert received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_a_client_that_never_reads_is_cut_and_its_engine_stopped() -> None:
    engine = FastEngine()
    async with running_gateway() as rig:
        await rig.loaded(rig.serve(engine))
        port = port_of(rig.serve(rig.gateway.app, write_timeout_s=0.5))
        async with connected(port, receive_bytes=65536) as wire:
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await wire.send(request())
            await engine.ended.wait()
            assert engine.sent_bytes < KERNEL_BYTES
            await rig.until(lambda: not rig.gateway.stats.active)
