"""One engine start, stop, sleep or wake at a time per device; different devices in parallel.

Engines that start together on one device measure each other's memory as their own. A lane is
granted in the order it was asked for; several devices are always taken in the same order, so that
two engines never wait for each other. Only when the agent ends, all engines are stopped at once.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from modelium.runtime_agent.waiting import first_to_end


class Lanes:
    """The devices as things that can be held."""

    def __init__(self) -> None:
        self._held: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._opened = asyncio.Event()

    def open(self) -> None:
        """From now on nobody waits, those who do already included."""
        self._opened.set()

    @asynccontextmanager
    async def hold(self, device_ids: Iterable[str]) -> AsyncIterator[None]:
        """Hold all of these until the block ends; waits for its turn."""
        async with AsyncExitStack() as stack:
            if not self._opened.is_set():
                await first_to_end(self._take(stack, device_ids), self._opened.wait())
            yield

    async def _take(self, stack: AsyncExitStack, device_ids: Iterable[str]) -> None:
        for device_id in sorted(set(device_ids)):
            await stack.enter_async_context(self._held[device_id])
