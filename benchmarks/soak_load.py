"""The mixed load of the soak: what clients do to a gateway, the decent ones and the others.

Every visitor does one thing over and over and counts what came of it; an answer that is not the one
expected is kept word by word.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from benchmarks.soak_keys import SLOTS, Keys

CHAT = "/v1/chat/completions"
HOT, FAILING, DYING, COLD = "hot", "failing", "dying", ("cold-a", "cold-b")
MODELS = (HOT, FAILING, DYING, *COLD)
DIES_AFTER = 10
"""Tokens of one answer, for the engine of `DYING`."""
GIVE_UP_S = 0.05
"""After this a client that waits for a cold model goes away."""

Visit = Callable[["Visitors", int], Awaitable[None]]


@dataclass
class Tally:
    """How often each kind of visit went as it should; what did not, in words."""

    went_well: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)

    def judge(self, kind: str, good: bool, what: str) -> None:
        """Count it, or keep what came instead."""
        if good:
            self.went_well[kind] += 1
        else:
            self.unexpected.append(f"{kind}: {what}")


@dataclass
class Visitors:
    """All clients of a soak; `run` until `over` is set."""

    url: str
    http: aiohttp.ClientSession
    """Sends the wide key."""
    keys: Keys
    tally: Tally = field(default_factory=Tally)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    numbers: Iterator[int] = field(default_factory=count)

    async def run(self) -> None:
        """Every kind of visit, each with its own pause, until it is over."""
        async with asyncio.TaskGroup() as group:
            for visit, pause_s, how_many in VISITS:
                for _ in range(how_many):
                    group.create_task(self._again_and_again(visit, pause_s))

    async def every_kind_once(self) -> None:
        """One visit of each kind, so that all that is made on first use has been made."""
        for visit, _, _ in VISITS:
            await visit(self, next(self.numbers))

    async def _again_and_again(self, visit: Visit, pause_s: float) -> None:
        while not self.over.is_set():
            await visit(self, next(self.numbers))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self.over.wait()

    async def fill_the_slots(self) -> None:
        """More requests at once than may run: too few run if a slot was lost, too many if one
        was made up."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._hold_a_slot()) for _ in range(SLOTS + 8)]
        statuses = Counter(task.result() for task in asked)
        self.tally.judge("slots filled", statuses == {200: SLOTS, 429: 8}, str(statuses))

    async def _hold_a_slot(self) -> int:
        body = _chat({"model": HOT, "max_tokens": 100})
        async with self.http.post(self.url + CHAT, json=body) as answer:
            await answer.read()
            return answer.status

    async def ask(self, kind: str, expected: int, **body: Any) -> None:
        """A whole answer of this status; a stream has to end with [DONE]."""
        try:
            async with self.http.post(self.url + CHAT, json=_chat(body)) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.tally.judge(kind, False, repr(error))
            return
        good = answer.status == expected
        if good and body.get("stream"):
            good = text.endswith("data: [DONE]\n\n") and '"error"' not in text
        self.tally.judge(kind, good, f"HTTP {answer.status}: {text[-200:]}")

    async def raw(self, kind: str, request: bytes, expected: bytes) -> None:
        """Bytes on a connection of their own; `expected` is in the answer, or b"": just leave."""
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(request)
        answer = b""
        if expected:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(10):
                    answer = await reader.read(65_536)
        writer.close()
        self.tally.judge(kind, expected in answer, repr(answer[:200]))


async def plain(all_: Visitors, number: int) -> None:
    """An answer at once."""
    await all_.ask("plain", 200, model=HOT)


async def stream(all_: Visitors, number: int) -> None:
    """A stream to its end."""
    await all_.ask("stream", 200, model=HOT, stream=True, max_tokens=20)


async def slow_stream_left(all_: Visitors, number: int) -> None:
    """A stream whose reader goes away after the first bytes."""
    body = _chat({"model": HOT, "stream": True, "max_tokens": 500})
    async with all_.http.post(all_.url + CHAT, json=body) as answer:
        first = await answer.content.readany()
    all_.tally.judge("left", answer.status == 200 and bool(first), f"HTTP {answer.status}")


async def plain_left(all_: Visitors, number: int) -> None:
    """A client that does not wait for its answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GIVE_UP_S):
            await all_.ask("left early", 200, model=HOT, max_tokens=500)


async def cold(all_: Visitors, number: int) -> None:
    """A model that is often not loaded, because its neighbour needs the memory."""
    await all_.ask("cold", 200, model=COLD[number % 2], stream=number % 4 < 2)


async def cold_left(all_: Visitors, number: int) -> None:
    """A client that stops waiting for its model."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GIVE_UP_S):
            await all_.ask("cold left", 200, model=COLD[number % 2])


async def failing(all_: Visitors, number: int) -> None:
    """A model whose engine answers with errors, so that it never counts as loaded."""
    await all_.ask("failing", 503, model=FAILING)


async def dying(all_: Visitors, number: int) -> None:
    """An engine that ends in the middle of a stream; then it may not be tried for a while."""
    body = _chat({"model": DYING, "stream": True, "max_tokens": 2 * DIES_AFTER})
    async with all_.http.post(all_.url + CHAT, json=body) as answer:
        text = await answer.text()
    told = '"error"' in text and "[DONE]" not in text
    all_.tally.judge("dying", told and answer.status in (200, 503), text[-200:])


async def tight(all_: Visitors, number: int) -> None:
    """A client that asks far more often than it may."""
    body = _chat({"model": HOT})
    async with all_.http.post(all_.url + CHAT, json=body, headers=all_.keys.tight) as answer:
        text = await answer.text()
    kind = "refused by a limit" if answer.status == 429 else "let in by a limit"
    all_.tally.judge(kind, answer.status in (200, 429), f"HTTP {answer.status}: {text[-200:]}")


async def unknown(all_: Visitors, number: int) -> None:
    """A name that a client made up, a new one each time."""
    await all_.ask("unknown", 404, model=f"nobody-{number}")


async def no_model(all_: Visitors, number: int) -> None:
    """A request that does not say which model."""
    await all_.ask("no model", 400)


async def not_json(all_: Visitors, number: int) -> None:
    """A body that is none."""
    content = b'{"model": '
    head = f"POST {CHAT} HTTP/1.1\r\nhost: soak\r\ncontent-type: application/json\r\n"
    head += f"connection: close\r\ncontent-length: {len(content)}\r\n\r\n"
    await all_.raw("not json", head.encode() + content, b"HTTP/1.1 400")


async def not_http(all_: Visitors, number: int) -> None:
    """Something else than HTTP."""
    await all_.raw("not http", b"\x16\x03\x01 this is no HTTP\r\n\r\n", b"HTTP/1.1 400")


async def half_a_request(all_: Visitors, number: int) -> None:
    """A client that dies while it sends."""
    head = f"POST {CHAT} HTTP/1.1\r\nhost: soak\r\ncontent-length: 1000\r\n\r\n"
    await all_.raw("half", head.encode() + b'{"model"', b"")


async def list_models(all_: Visitors, number: int) -> None:
    """A look at what there is."""
    async with all_.http.get(f"{all_.url}/v1/models") as answer:
        listed = await answer.json()
    all_.tally.judge("models", len(listed["data"]) == len(MODELS), str(listed))


VISITS: tuple[tuple[Visit, float, int], ...] = (
    (plain, 0.05, 4),
    (stream, 0.1, 4),
    (slow_stream_left, 0.2, 2),
    (plain_left, 0.2, 2),
    (cold, 0.5, 2),
    (cold_left, 0.5, 1),
    (failing, 0.2, 1),
    (dying, 0.5, 1),
    (tight, 0.1, 2),
    (unknown, 0.2, 1),
    (no_model, 0.5, 1),
    (not_json, 0.5, 1),
    (not_http, 0.5, 1),
    (half_a_request, 0.5, 1),
    (list_models, 1.0, 1),
)
"""What, seconds of pause after it, how many at a time."""


def _chat(more: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4, **more}
