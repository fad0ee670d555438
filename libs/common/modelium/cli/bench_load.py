"""The load of `modelium bench`: so many requests at once, until enough or time is over."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import aiohttp

from modelium.cli.bench_report import Request
from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable

LONGEST_REQUEST_S: Final = 900.0
WORD: Final = "word "
"""About a token for most tokenizers."""
ROUTES: Final = {
    "chat": "/v1/chat/completions",
    "completion": "/v1/completions",
    "embedding": "/v1/embeddings",
}


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is asked of which model; `requests` or else `seconds` is how much of it."""

    model: str
    task: str
    requests: int | None
    seconds: float
    max_tokens: int
    input_tokens: int

    def body(self, number: int) -> dict[str, Any]:
        """Each begins differently, so that none is answered from another's cache."""
        text = f"{number} " + WORD * (self.input_tokens - 1)
        if self.task == "embedding":
            return {"model": self.model, "input": text}
        how = {"stream": True, "stream_options": {"include_usage": True}}
        body = {"model": self.model, "max_tokens": self.max_tokens, **how}
        if self.task == "chat":
            return body | {"messages": [{"role": "user", "content": text}]}
        return body | {"prompt": text}


@dataclass
class Bench:
    """One gateway under load; `done` fills while a level runs."""

    session: aiohttp.ClientSession
    load: Load
    clock: Clock
    done: list[Request] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    async def level(self, concurrency: int) -> None:
        """Run this many workers until there were enough requests, or the time is over."""
        self.done = []
        left = iter(range(self.load.requests)) if self.load.requests else count()
        end_s = self.clock.monotonic() + self.load.seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(self._work(left, end_s))

    async def _work(self, left: Iterator[int], end_s: float) -> None:
        for _ in left:
            if not self.load.requests and self.clock.monotonic() >= end_s:
                return
            self.done.append(await self.request())

    async def request(self) -> Request:
        """One request; what fails is noted in it."""
        request = Request(self.clock.monotonic())
        try:
            await self._ask(request)
        except (aiohttp.ClientError, TimeoutError) as wrong:
            request.error = str(wrong) or type(wrong).__name__
        request.ended_s = self.clock.monotonic()
        return request

    async def _ask(self, request: Request) -> None:
        load = self.load
        async with self.session.post(ROUTES[load.task], json=load.body(next(self._numbers))) as got:
            if got.status != 200:
                request.error = f"{got.status} {_message(await got.read())}"
            elif load.task == "embedding":
                answer = json.loads(await got.read())
                request.tokens = (answer.get("usage") or {}).get("total_tokens", 0)
            else:
                await self._stream(got, request)

    async def _stream(self, got: aiohttp.ClientResponse, request: Request) -> None:
        rest = b""
        async for data in got.content.iter_any():
            at_s = self.clock.monotonic()
            *lines, rest = (rest + data).split(b"\n")
            for chunk in _chunks(lines):
                self._take(chunk, request, at_s)

    def _take(self, chunk: dict[str, Any], request: Request, at_s: float) -> None:
        if error := chunk.get("error"):
            request.error = str(error.get("message", error))
        if any(_text(choice) for choice in chunk.get("choices", ())):
            request.took(at_s)
            request.tokens += 1
        if usage := chunk.get("usage"):
            request.tokens = usage["completion_tokens"]


def session(url: str, key: str) -> aiohttp.ClientSession:
    """Connections to a gateway, as many as there are requests."""
    return aiohttp.ClientSession(
        url,
        headers={"authorization": f"Bearer {key}"} if key else {},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=LONGEST_REQUEST_S),
    )


async def warm_up(bench: Bench) -> None:
    """Have the model loaded by a request that does not count; raises when that fails."""
    request = await bench.request()
    if request.error:
        raise DependencyUnavailable(
            f"{bench.load.model} does not answer: {request.error}",
            "`modelium models` and `modelium doctor` may tell why.",
        )


def _chunks(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith(b"data:") and line.strip() != b"data: [DONE]":
            yield json.loads(line.removeprefix(b"data:"))


def _text(choice: dict[str, Any]) -> str:
    delta = choice.get("delta", choice)
    return delta.get("content") or delta.get("reasoning_content") or delta.get("text") or ""


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")
