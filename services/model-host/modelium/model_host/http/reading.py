"""Reads bodies within their limit, and notices callers that leave."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from modelium.model_host.errors import TooLarge, UnsupportedMedia
from modelium.model_host.protocol.values import whole_number
from modelium.model_host.serving import Serving

T = TypeVar("T")


async def read_body(request: Request, serving: Serving) -> bytes:
    """The whole body.

    Raises:
        HostError: 413, before more is held than a body may have; 415, it is compressed; 503, the
            requests under way hold too much already.
    """
    max_bytes = serving.options.max_body_bytes
    coding = request.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise UnsupportedMedia(f"bodies with content-encoding {coding[:32]!r} are not read")
    length = request.headers.get("content-length", "")
    if (whole_number(length) or 0) > max_bytes:
        raise TooLarge(f"the body has {length} bytes; at most {max_bytes} are taken")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise TooLarge(f"the body has more than {max_bytes} bytes, which are taken at most")
        serving.held.take(len(part))
        request.state.held = size
        parts.append(part)
    return b"".join(parts)


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, which is cancelled if its caller leaves.

    Raises:
        ClientDisconnect: the caller has left.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
