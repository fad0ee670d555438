"""The socket that a service listens on."""

import asyncio
import socket

from modelium.common.http_server import bind


async def test_an_answer_in_two_parts_does_not_wait_for_an_acknowledgement() -> None:
    """It once took 40 ms more per request: asyncio left Nagle's algorithm on."""
    seen = asyncio.get_running_loop().create_future()

    def on_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(writer.get_extra_info("socket"))

    bound = bind("127.0.0.1", 0, setting="test")
    server = await asyncio.start_server(on_connection, sock=bound)
    async with server:
        _, writer = await asyncio.open_connection(*bound.getsockname())
        accepted = await seen
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
