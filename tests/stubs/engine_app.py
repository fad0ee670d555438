"""The ASGI application of the stand-in for a vLLM server; `engine.py` runs it as a program.

In a test's own process, serve `StubEngine(Behaviour(...))` with uvicorn and look at what it saw.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.stubs.engine_dialects import DIALECTS, Dialect
from tests.stubs.engine_sleep import SleepMode

SHUTDOWN_ERROR = "cannot schedule new futures after shutdown"

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class Behaviour:
    """How the engine misbehaves; may be changed while it runs."""

    model: str = "stub"
    root: str = "/models/stub"
    chunk_delay_s: float = 0.0
    first_byte_delay_s: float = 0.0
    fail_health: bool = False
    fail_requests: bool = False
    die_after_chunks: int | None = None
    hang_after_tokens: int | None = None
    draining: bool = False
    aborting: bool = False
    hanging: bool = False
    """Answers no request that begins from now on, and is as healthy as ever."""


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass
class StubEngine:
    """The ASGI application."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    sleep_mode: SleepMode = field(default_factory=SleepMode)
    received: list[Received] = field(default_factory=list)
    running: int = 0
    cancelled: int = 0
    tokens: int = 0
    replies: dict[str, tuple[int, list[tuple[bytes, bytes]], bytes]] = field(default_factory=dict)
    """Fixed replies by path, for tests that compare bytes."""
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever a request has arrived or ended."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        path, query = scope["path"], scope["query_string"]
        self.received.append(Received(scope["method"], path, query, scope["headers"], body))
        self.seen.set()
        if path in self.replies:
            await _reply(send, *self.replies[path])
        elif path in DIALECTS or path == "/v1/embeddings":
            await self._work(path, body, receive, send)
        else:
            await self._control(path, query, body, send)

    async def _control(self, path: str, query: bytes, body: bytes, send: Send) -> None:
        how = self.behaviour
        if path in ("/health", "/ping"):
            await _reply(send, 503 if how.fail_health else 200, [], b"")
        elif path == "/metrics":
            await _reply(send, 200, [(b"content-type", b"text/plain")], self._metrics().encode())
        elif path == "/version":
            await _json(send, {"version": "0.33.0"})
        elif path == "/v1/models":
            await _json(send, {"object": "list", "data": [self._card()]})
        else:
            status, value = await self.sleep_mode.answer(path, query, body)
            await _json(send, value, status=status)

    def _card(self) -> dict[str, Any]:
        how = self.behaviour
        card = {"id": how.model, "object": "model", "created": 0, "owned_by": "vllm"}
        return {**card, "root": how.root, "parent": None, "max_model_len": 512}

    def _metrics(self) -> str:
        label = f'{{model_name="{self.behaviour.model}",engine="0"}}'
        return (
            f"vllm:num_requests_running{label} {self.running}\n"
            f"vllm:num_requests_waiting{label} 0\n"
            f"vllm:generation_tokens_total{label} {self.tokens}\n"
        )

    async def _work(self, path: str, body: bytes, receive: Receive, send: Send) -> None:
        how = self.behaviour
        request = json.loads(body)
        if how.draining or how.fail_requests:
            text = SHUTDOWN_ERROR if how.draining else "the stub was told to fail"
            await _error(send, 500, text, "InternalServerError")
        elif request.get("model") not in (None, how.model):
            text = f"The model `{request.get('model')}` does not exist."
            await _error(send, 404, text, "NotFoundError")
        elif path == "/v1/embeddings":
            vector = {"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}
            await _json(send, {"object": "list", "model": how.model, "data": [vector]})
        else:
            await self._generate(path, request, receive, send)

    async def _generate(
        self, path: str, request: dict[str, Any], receive: Receive, send: Send
    ) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))
        self.running += 1
        try:
            dialect = DIALECTS[path](self.behaviour.model)
            steps = self._steps(request, dialect, gone)
            if request.get("stream"):
                await self._stream(dialect, request, steps, send)
            else:
                await self._whole(dialect, steps, send)
        finally:
            self.running -= 1
            self.cancelled += gone.done()
            gone.cancel()
            self.seen.set()

    async def _steps(
        self, request: dict[str, Any], dialect: Dialect, gone: asyncio.Future[None]
    ) -> AsyncIterator[tuple[str, str | None]]:
        """Yield (text, finish_reason) per token, until done, aborted, dead or nobody listens."""
        how = self.behaviour
        count = next((int(request[name]) for name in dialect.budgets if request.get(name)), 8)
        if self.sleep_mode.asleep or how.hanging:
            await gone
            return
        await asyncio.wait([gone], timeout=how.first_byte_delay_s)
        for number in range(count):
            if how.die_after_chunks is not None and number >= how.die_after_chunks:
                os._exit(0)
            if how.hang_after_tokens is not None and self.tokens >= how.hang_after_tokens:
                await gone
            await asyncio.wait([gone], timeout=how.chunk_delay_s)
            if gone.done():
                return
            self.tokens += 1
            if how.aborting:
                yield "", "abort"
                return
            yield f"{self.sleep_mode.word}{number} ", ("length" if number == count - 1 else None)

    async def _whole(self, dialect: Dialect, steps: AsyncIterator[Any], send: Send) -> None:
        text, reason, count = "", None, 0
        async for piece, last in steps:
            text, reason, count = text + piece, last, count + 1
        if reason is not None:
            await _json(send, dialect.whole(text, reason, count))

    async def _stream(
        self, dialect: Dialect, request: dict[str, Any], steps: AsyncIterator[Any], send: Send
    ) -> None:
        text, last, count = "", "stop", 0
        with_usage = bool((request.get("stream_options") or {}).get("include_usage"))
        await _start(send, 200, [(b"content-type", b"text/event-stream; charset=utf-8")])
        await _part(send, dialect.opening())
        async for piece, reason in steps:
            text, last, count = text + piece, reason or last, count + 1
            await _part(send, dialect.piece(piece, reason))
        end = dialect.closing(text, last, count, with_usage=with_usage)
        await send({"type": "http.response.body", "body": end})


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _reply(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await _start(send, status, [(b"content-length", str(len(body)).encode()), *headers])
    await send({"type": "http.response.body", "body": body})


async def _json(send: Send, value: object, *, status: int = 200) -> None:
    headers = [(b"content-type", b"application/json")]
    await _reply(send, status, headers, json.dumps(value).encode())


async def _error(send: Send, status: int, message: str, kind: str) -> None:
    error = {"message": message, "type": kind, "param": None, "code": status}
    await _json(send, {"error": error}, status=status)


async def _part(send: Send, data: bytes) -> None:
    if data:
        await send({"type": "http.response.body", "body": data, "more_body": True})
