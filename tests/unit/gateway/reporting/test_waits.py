"""Which requests are noted as having waited, and how their wait ended."""

import asyncio

import pytest

from modelium.common.history import RequestRecord
from modelium.common.records import ModelState
from modelium.common.testing import FakeClock, InMemoryStore, a_model_record
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.reporting.waits import MOST_DUE, WaitLog


class World:
    """A log of waits, and the store it writes to."""

    def __init__(self, state: ModelState = ModelState.UNLOADED) -> None:
        self.clock = FakeClock()
        self.store = InMemoryStore(self.clock)
        table = RouteTable()
        table.apply(a_model_record(state=state, version=1), 0.0)
        self.log = WaitLog(table=table, store=self.store, clock=self.clock, gateway_id="g1")

    async def noted(self, request_id: str = "r1") -> RequestRecord | None:
        await self.log.flush()
        return await self.store.history.request(request_id)

    async def ended(self, request_id: str = "r1") -> str:
        record = await self.noted(request_id)
        assert record is not None
        return record.ended


async def test_a_wait_is_noted_when_it_begins_and_when_it_ends() -> None:
    world = World()
    began = world.clock.now()
    with world.log.waiting("r1", "qwen"):
        waits = await world.noted()
        await world.clock.advance(3.5)
    record = await world.noted()
    assert waits is not None
    assert (waits.waited_s, waits.ended, waits.since) == (None, "", began)
    assert record is not None
    assert (record.waited_s, record.ended, record.since) == (3.5, "served", began)
    assert (record.found, record.gateway_id) == (ModelState.UNLOADED, "g1")


async def test_two_requests_with_one_id_do_not_end_each_other() -> None:
    world = World()
    with world.log.waiting("r1", "qwen"):
        await world.clock.advance(1)
        with pytest.raises(ApiError), world.log.waiting("r1", "qwen"):
            raise errors.unavailable("The gateway is stopping.")
        assert await world.ended() == ""
    assert await world.ended() == "served"


async def test_a_wait_that_ends_in_an_error_has_its_code() -> None:
    world = World()
    with pytest.raises(ApiError), world.log.waiting("r1", "qwen"):
        raise errors.unavailable("The gateway is stopping.")
    assert await world.ended() == "service_unavailable"


async def test_a_client_that_leaves_is_noted_so() -> None:
    world = World()
    with pytest.raises(asyncio.CancelledError), world.log.waiting("r1", "qwen"):
        raise asyncio.CancelledError
    assert await world.ended() == "left"


@pytest.mark.parametrize("model", ["qwen", "nobody"])
async def test_nothing_is_noted_for_a_loaded_or_unknown_model(model: str) -> None:
    world = World(ModelState.LOADED)
    with world.log.waiting("r1", model):
        pass
    assert await world.noted() is None


async def test_a_flood_is_not_kept_in_memory() -> None:
    world = World()
    for number in range(MOST_DUE + 1):
        with world.log.waiting(f"r{number}", "qwen"):
            pass
    assert await world.ended("r0") == "served"
    assert await world.noted(f"r{MOST_DUE}") is None


async def test_what_cannot_be_written_is_dropped_and_the_next_is_written() -> None:
    world = World()
    world.store.answers = False
    with world.log.waiting("r1", "qwen"):
        await world.log.flush()
        world.store.answers = True
    assert await world.ended() == "served"
