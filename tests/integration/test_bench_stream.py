"""What `modelium bench` sees of a stream over a real connection."""

import asyncio
import json
from typing import Any

from modelium.cli.bench_load import Bench, Load, session
from modelium.common.testing import FakeClock


def event(**value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


PIECES = b"".join(event(choices=[{"delta": {"content": text}}]) for text in ("a", "b", "c"))
ANSWER = PIECES + event(choices=[], usage={"completion_tokens": 6}) + b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD % len(ANSWER) + ANSWER)
    await writer.drain()
    writer.close()


async def test_pieces_that_come_at_once_are_one_read() -> None:
    """Each was taken for a token that took no time."""
    load = Load(model="m", task="chat", requests=1, seconds=1, max_tokens=6, input_tokens=2)
    async with await asyncio.start_server(_answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with session(f"http://127.0.0.1:{port}", "") as opened:
            done = await Bench(opened, load, FakeClock()).request()
    assert (done.error, done.tokens, sum(read.pieces for read in done.reads)) == ("", 6, 3)
    assert (len(done.reads), done.gaps_s) == (1, [])
