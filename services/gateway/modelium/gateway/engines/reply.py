"""One answer of an engine: what has arrived of it, and has not been read yet."""

import asyncio
from typing import Final, Protocol

from modelium.gateway.edge.call import Headers
from modelium.gateway.engines.hop_by_hop import HOP_BY_HOP, named_in
from modelium.gateway.engines.upstream import EngineGone

HIGH_WATER_BYTES: Final = 128 * 1024
"""As much of an answer is buffered before the engine has to wait for the client."""

_NOT_FOR_CLIENTS: Final = HOP_BY_HOP | {b"date", b"server", b"x-request-id"}
_NO_BODY: Final = frozenset({204, 304})


class Source(Protocol):
    """What a reply needs of the connection that it comes from."""

    loop: asyncio.AbstractEventLoop

    def pause(self) -> None:
        """Let the engine wait."""

    def resume(self) -> None:
        """Let the engine go on."""

    def abort(self) -> None:
        """Close at once."""


class EngineReply:
    """Implements `upstream.Reply`: what has arrived of one answer, and not been read yet."""

    __slots__ = (
        "_chunks",
        "_connection",
        "_ended",
        "_failure",
        "_named",
        "_reader",
        "_size",
        "_sized",
        "headers",
        "status",
    )

    def __init__(self, connection: Source) -> None:
        self._connection = connection
        self._chunks: list[bytes] = []
        self._size = 0
        self._ended = False
        self._failure: EngineGone | None = None
        self._reader: asyncio.Future[None] | None = None
        self._sized = False
        self._named: frozenset[bytes] = frozenset()
        self.status = 0
        self.headers: Headers = []

    async def read(self) -> bytes:
        """See `Reply.read`; what has arrived since the last call comes in one piece."""
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return b""
            self._reader = self._connection.loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        if not self._ended:  # else the connection may be at its next answer
            self._connection.resume()
        return data

    def close(self) -> None:
        """See `Reply.close`."""
        if not self._ended and self._failure is None:
            self._connection.abort()

    # What the connection calls.

    def add(self, data: bytes) -> None:
        """Some of the body has arrived."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER_BYTES:
            self._connection.pause()
        self._wake()

    def end(self) -> None:
        """The answer has ended properly."""
        self._ended = True
        self._wake()

    def fail(self, failure: EngineGone) -> None:
        """The answer will never end properly."""
        if not self._ended:
            self._failure = failure
            self._wake()

    def take_header(self, name: bytes, value: bytes) -> None:
        """One header, by its lower-case name."""
        if name in (b"content-length", b"transfer-encoding"):
            self._sized = True
        if name not in _NOT_FOR_CLIENTS:
            self.headers.append((name, value))
        elif name == b"connection":
            self._named |= named_in(value)

    def begin(self, status: int) -> None:
        """All headers have come."""
        self.status = status
        if self._named:
            self.headers = [header for header in self.headers if header[0] not in self._named]

    def begin_again(self) -> None:
        """They were of a 1xx; those of the answer follow."""
        self.headers.clear()
        self._named = frozenset()
        self._sized = False

    @property
    def ends_with_connection(self) -> bool:
        """Whether the end of the connection is the proper end of the body."""
        return bool(self.status) and not self._sized and self.status not in _NO_BODY

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
