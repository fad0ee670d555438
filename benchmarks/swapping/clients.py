"""Clients as the official OpenAI packages are: what they send, when they try again, what they got.

An answer of 408, 409, 429 or 5xx is tried again, unless `x-should-retry` forbids it, and so is a
connection that breaks; twice at most, as is their default. The pause before is what `Retry-After`
says if that is two minutes at most, else half a second, doubled each time up to eight.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import aiohttp

from modelium.common.clock import Clock

RETRIES: Final = 2
LONGEST_RETRY_AFTER_S: Final = 120.0
_LONGEST_ANSWER_S: Final = 600.0
"""As long as theirs, which would then try again. Here that is a lost request."""
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 8.0
_TRIED_AGAIN: Final = frozenset({408, 409, 429})
NO_ANSWER: Final = 0
"""As a status: the connection broke."""
TOO_LATE: Final = 1
"""As a status: nobody answered in the longest time that a client waits."""


@dataclass(frozen=True)
class Attempt:
    """One try of a request."""

    status: int
    took_s: float
    said: str = ""
    """Why it was no good answer."""
    first_s: float | None = None
    """Until the first piece of the answer, of a stream."""


@dataclass
class Asked:
    """One request of a client, with all its tries."""

    model: str
    at_s: float
    """Monotonic."""
    cold: bool
    """Its model did not serve when it was first sent."""
    stream: bool
    attempts: list[Attempt] = field(default_factory=list)
    ended_s: float = 0.0

    @property
    def answered(self) -> bool:
        return bool(self.attempts) and not self.attempts[-1].said

    @property
    def took_s(self) -> float:
        """From the first try to the end of the last, the pauses between them included."""
        return self.ended_s - self.at_s

    @property
    def first_s(self) -> float | None:
        """From the first try to the first piece of the answer, of a stream that was answered."""
        last = self.attempts[-1]
        return None if last.first_s is None else self.took_s - last.took_s + last.first_s


@dataclass(frozen=True)
class Arrival:
    """A request that is to be sent."""

    at_s: float
    """After the start of the load."""
    model: str


def zipf_arrivals(models: Sequence[str], count: int, seconds: float, seed: int) -> list[Arrival]:
    """So many at random times, for models that are the less popular the later they are listed.

    The same arguments give the same arrivals.
    """
    draw = Random(f"arrivals:{seed}")
    weights = [1 / rank for rank in range(1, len(models) + 1)]
    times = sorted(draw.uniform(0, seconds) for _ in range(count))
    chosen = draw.choices(models, weights, k=count)
    return [Arrival(at_s, model) for at_s, model in zip(times, chosen, strict=True)]


@dataclass(frozen=True)
class _Got:
    """What came of one try."""

    status: int
    headers: Mapping[str, str]
    said: str
    """What is wrong with the answer."""
    first_at_s: float | None = None


class Clients:
    """Sends every request at its time, whether or not earlier ones are answered."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        serves: Callable[[str], bool],
        *,
        max_tokens: int = 8,
        plain: bool = True,
    ) -> None:
        """`plain`: every second request is no stream."""
        self.asked: list[Asked] = []
        self._url = url
        self._clock = clock
        self._serves = serves
        self._max_tokens = max_tokens
        self._plain = plain

    async def run(self, arrivals: Sequence[Arrival]) -> None:
        """Until the last of them has its answer, or has given up."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=_LONGEST_ANSWER_S)
        start_s = self._clock.monotonic()
        async with (
            aiohttp.ClientSession(self._url, connector=connector, timeout=timeout) as http,
            asyncio.TaskGroup() as group,
        ):
            for number, arrival in enumerate(arrivals):
                await self._clock.sleep(start_s + arrival.at_s - self._clock.monotonic())
                group.create_task(self._one(http, arrival.model, number))

    async def _one(self, http: aiohttp.ClientSession, model: str, number: int) -> None:
        cold, stream = not self._serves(model), not (self._plain and number % 2)
        asked = Asked(model, self._clock.monotonic(), cold, stream)
        self.asked.append(asked)
        pause_s: float | None = 0.0
        while pause_s is not None:
            await self._clock.sleep(pause_s)
            began_s = self._clock.monotonic()
            got = await self._try(http, asked, number)
            took_s = self._clock.monotonic() - began_s
            first_s = None if got.first_at_s is None else got.first_at_s - began_s
            asked.attempts.append(Attempt(got.status, took_s, got.said, first_s))
            pause_s = pause_before_retry_s(len(asked.attempts), got.status, got.headers)
        asked.ended_s = self._clock.monotonic()

    async def _try(self, http: aiohttp.ClientSession, asked: Asked, number: int) -> _Got:
        body = {
            "model": asked.model,
            "messages": [{"role": "user", "content": f"request {number}"}],
            "max_tokens": self._max_tokens,
            "stream": asked.stream,
        }
        try:
            async with http.post("/v1/chat/completions", json=body) as answer:
                text, first_at_s = await self._read(answer)
        except TimeoutError:
            return _Got(TOO_LATE, {}, f"no answer within {_LONGEST_ANSWER_S:.0f} s")
        except aiohttp.ClientError as error:
            return _Got(NO_ANSWER, {}, f"{type(error).__name__}: {error}")
        complete = _streamed if asked.stream else _whole
        good = answer.status == 200 and complete(text, asked.model)
        said = "" if good else f"HTTP {answer.status}: {text[-300:]}"
        return _Got(answer.status, answer.headers, said, first_at_s)

    async def _read(self, answer: aiohttp.ClientResponse) -> tuple[str, float | None]:
        """All of it, and when its first event came: what comes before only says that it waits."""
        read, first_at_s = bytearray(), None
        async for piece in answer.content.iter_any():
            read += piece
            if first_at_s is None and b"data: " in piece:
                first_at_s = self._clock.monotonic()
        return read.decode(errors="replace"), first_at_s


def pause_before_retry_s(tries: int, status: int, headers: Mapping[str, str]) -> float | None:
    """None: it is not tried again."""
    named_s = float(headers.get("retry-after", 0))
    if tries > RETRIES or status == 200 or named_s > LONGEST_RETRY_AFTER_S:
        return None
    allowed = status == NO_ANSWER or status in _TRIED_AGAIN or status >= 500
    if not {"true": True, "false": False}.get(headers.get("x-should-retry", ""), allowed):
        return None
    return named_s or min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (tries - 1))


def _whole(text: str, model: str) -> bool:
    """Whether it is an answer, of this model, that came to its own end."""
    try:
        said = json.loads(text)
    except ValueError:
        return False
    reasons = [choice.get("finish_reason") for choice in said.get("choices", ())]
    return said.get("model") == model and reasons in (["stop"], ["length"])


def _streamed(text: str, model: str) -> bool:
    """The same of a stream."""
    events = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    if not events or events.pop() != "[DONE]":
        return False
    said = [json.loads(event) for event in events]
    ends = [c["finish_reason"] for s in said for c in s.get("choices", ()) if c["finish_reason"]]
    return {s.get("model") for s in said} == {model} and ends in (["stop"], ["length"])
