"""Fixtures of the contract suites."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.buses import MemoryWorld, World, nats_world


@pytest.fixture(params=["memory", "nats"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    async with nats_world(request.getfixturevalue("nats").url) as on_nats:
        yield on_nats
