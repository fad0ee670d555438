"""There are not too many who read the log, and none goes on when the gateway stops."""

import asyncio

import pytest

from modelium.common.testing import InMemoryBus
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.gate import Gate
from modelium.gateway.live.readers import Readers


async def test_one_reader_too_many_is_told_to_come_later() -> None:
    readers = Readers(InMemoryBus().events, most=1)
    async with readers.reading(0):
        with pytest.raises(ApiError) as refused:
            async with readers.reading(0):
                raise AssertionError
        assert (refused.value.status, refused.value.retry_after_s) == (429, 10.0)
    async with readers.reading(0):
        assert readers.count == 1


async def test_work_ends_with_the_gateway_that_it_would_outlast() -> None:
    gate, ended = Gate(), asyncio.Event()

    async def endless() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 1

    async with asyncio.TaskGroup() as group:
        work = group.create_task(gate.unless_stopped(endless()))
        group.create_task(_stop(gate))
    assert work.result() is None
    assert ended.is_set()
    assert await Gate().unless_stopped(asyncio.sleep(0, "done")) == "done"


async def _stop(gate: Gate) -> None:
    gate.stop()
