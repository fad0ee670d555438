"""A client of server-sent events, as a browser is one."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass
class Told:
    """One event; `id` is the last one that was sent, as a browser keeps it."""

    event: str
    id: str
    data: Any


class Stream:
    """An open stream; `last_id` is what a browser would come again with."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""
        self.retry_ms: int | None = None

    async def next(self) -> Told:
        """The next event with data; EOFError when the stream has ended."""
        while True:
            fields = await self.block()
            self.last_id = fields.get("id", self.last_id)
            if "retry" in fields:
                self.retry_ms = int(fields["retry"])
            if "data" in fields:
                return Told(fields.get("event", ""), self.last_id, json.loads(fields["data"]))

    async def some(self, count: int) -> list[Told]:
        """The next ones."""
        return [await self.next() for _ in range(count)]

    async def ended(self) -> None:
        """Wait until it is over, properly."""
        await self.response.content.read()

    async def block(self) -> dict[str, str]:
        """The fields of what comes next, with or without data."""
        fields: dict[str, str] = {}
        while (line := (await self.response.content.readline()).decode()) != "\n":
            if not line:
                raise EOFError
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        return fields


@asynccontextmanager
async def streamed(http: aiohttp.ClientSession, url: str, **options: Any) -> AsyncIterator[Stream]:
    """An event stream that has begun."""
    async with http.get(url, **options) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Stream(response)
