"""A steady stream of chat requests through the gateway, counted: sent, answered, failed."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import aiohttp


@dataclass
class Tally:
    """What became of the requests; `failed` holds one sentence each."""

    sent: int = 0
    answered: int = 0
    failed: list[str] = field(default_factory=list)


class SteadyLoad:
    """Sends `rate_per_s` requests each second, alternately streamed and plain, until stopped."""

    def __init__(self, url: str, models: tuple[str, ...], *, rate_per_s: float = 5.0) -> None:
        self.tally = Tally()
        self._url = url
        self._models = models
        self._interval_s = 1.0 / rate_per_s
        self._stopping = asyncio.Event()
        self._counted = asyncio.Condition()

    def stop(self) -> None:
        """Send nothing more; `run` returns once all that was sent has ended."""
        self._stopping.set()

    async def run(self) -> Tally:
        timeout = aiohttp.ClientTimeout(total=120)
        async with (
            aiohttp.ClientSession(self._url, timeout=timeout) as http,
            asyncio.TaskGroup() as group,
        ):
            while not self._stopping.is_set():
                group.create_task(self._one(http, self.tally.sent))
                await self._count()
                await self._pause()
        return self.tally

    async def more(self, requests: int) -> None:
        """Wait until this many more requests have been sent."""
        goal = self.tally.sent + requests
        async with self._counted:
            await self._counted.wait_for(lambda: self.tally.sent >= goal)

    async def _count(self) -> None:
        async with self._counted:
            self.tally.sent += 1
            self._counted.notify_all()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval_s):
                await self._stopping.wait()

    async def _one(self, http: aiohttp.ClientSession, number: int) -> None:
        stream = number % 2 == 0
        body = {
            "model": self._models[number % len(self._models)],
            "messages": [{"role": "user", "content": f"request {number}"}],
            "max_tokens": 8,
            "stream": stream,
        }
        try:
            async with http.post("/v1/chat/completions", json=body) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.tally.failed.append(f"{type(error).__name__}: {error}")
            return
        complete = "data: [DONE]" in text if stream else '"choices"' in text
        if answer.status == 200 and complete and '"error"' not in text:
            self.tally.answered += 1
        else:
            self.tally.failed.append(f"HTTP {answer.status}: {text[-200:]!r}")
