"""Fixtures of the contract suites."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from modelium.common.store import Store
from modelium.common.testing import in_memory_store
from tests.contract.buses import MemoryWorld, World, nats_world
from tests.contract.stores import opened


@pytest.fixture(params=["memory", "nats"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    async with nats_world(request.getfixturevalue("nats").url) as on_nats:
        yield on_nats


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield await in_memory_store()
        return
    async with opened(request.getfixturevalue("redis")) as (on_redis, _):
        yield on_redis


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The HTTP server is tested on the loop that it runs on; its transports are not asyncio's."""
    if item.path.name.startswith("test_http_"):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}
