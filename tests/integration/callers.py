"""Clients of a real system that ask the sample model without a pause, and must all be answered."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from modelium.cli.sample import write_sample_model
from tests.system import System, wait_until

LONGEST_S = 60.0


def drop_tiny(system: System) -> None:
    """Put the sample model into the folder, and wait until it is known."""
    write_sample_model(system.folder / "made" / "tiny")
    shutil.copytree(system.folder / "made" / "tiny", system.models / "tiny")
    system.wait_for_state("tiny", "unloaded")


async def until(system: System, what: str, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What the gateway says of the model, once it is so."""

    def page() -> dict[str, Any] | None:
        said: dict[str, Any] = system.get("/models/tiny")
        return said if met(said) else None

    said: dict[str, Any] = await asyncio.to_thread(wait_until, what, page, LONGEST_S)
    return said


@dataclass
class Callers:
    """They ask again as soon as they are answered."""

    system: System
    headers: Mapping[str, str]
    statuses: list[int] = field(default_factory=list)
    leave: bool = False

    async def ask(self, http: aiohttp.ClientSession) -> None:
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": "tiny", "messages": messages, "max_tokens": 4}
        url = f"{self.system.url}/v1/chat/completions"
        while not self.leave:
            async with http.post(url, json=body, headers=self.headers) as answer:
                await answer.read()
                self.statuses.append(answer.status)

    async def answered(self, more: int) -> None:
        """Wait for so many more answers."""
        wanted = len(self.statuses) + more

        def enough() -> bool:
            return len(self.statuses) >= wanted

        await asyncio.to_thread(wait_until, f"{more} more answers", enough, LONGEST_S)


@asynccontextmanager
async def calling(
    system: System, clients: int, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Callers]:
    """So many of them; all of their requests must be answered."""
    callers = Callers(system, headers or {})
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(callers.ask(http))
        try:
            yield callers
        finally:
            callers.leave = True
    assert set(callers.statuses) == {200}
