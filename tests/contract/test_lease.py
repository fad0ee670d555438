"""One lease for two processes, in memory and in a key-value bucket of a real NATS server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from modelium.common.clock import SystemClock
from modelium.common.errors import Conflict, DependencyUnavailable
from modelium.common.lease import NOBODY, Lease, LeaseCell
from modelium.common.subjects import LEASES_BUCKET
from modelium.common.testing import InMemoryLeaseCell
from tests.contract.buses import WAIT_S, connected, in_thread, outside, running
from tests.servers import Server

CLOCK = SystemClock()
SECONDS = 2.0

Cells = Callable[[], LeaseCell]


@pytest.fixture(params=["memory", "nats"])
async def cells(request: pytest.FixtureRequest) -> AsyncIterator[Cells]:
    """The same cell, as each of several processes holds it."""
    if request.param == "memory":
        one = InMemoryLeaseCell()
        yield lambda: one
        return
    server: Server = request.getfixturevalue("nats")
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(connected(server))
        name = request.node.name.replace("[", ".").replace("]", "")
        yield lambda: bus.lease_cell(name)


def a_lease(cell: LeaseCell, holder: str, seconds: float = SECONDS) -> Lease:
    return Lease(cell, name="test", holder=holder, seconds=seconds, clock=CLOCK)


async def epoch_of(lease: Lease) -> int:
    """Its epoch, once it leads."""
    async with asyncio.timeout(WAIT_S):
        while (epoch := lease.epoch) is None:
            await CLOCK.sleep(0.02)
    return epoch


async def test_what_was_written_is_read_by_others(cells: Cells) -> None:
    assert await cells().read() is None
    revision = await cells().write("a", 4.0, after=0)
    found = await cells().read()
    assert found is not None
    assert (found.holder, found.seconds, found.revision) == ("a", 4.0, revision)


async def test_of_two_that_write_after_the_same_revision_one_succeeds(cells: Cells) -> None:
    first = await cells().write("a", 4.0, after=0)
    outcomes = await asyncio.gather(
        cells().write("a", 4.0, after=first),
        cells().write("b", 4.0, after=first),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1
    [second] = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert second > first


async def test_nobody_can_be_the_first_twice(cells: Cells) -> None:
    await cells().write("a", 4.0, after=0)
    with pytest.raises(Conflict):
        await cells().write("b", 4.0, after=0)


async def test_a_lone_process_leads_at_once_and_its_successor_after_a_clean_end(
    cells: Cells,
) -> None:
    """Its length is far longer than the test waits: nobody waited for it to end."""
    first, second = a_lease(cells(), "a", 600), a_lease(cells(), "b", 600)
    async with running(first.run()):
        before = await epoch_of(first)
    assert first.epoch is None
    found = await cells().read()
    assert found is not None
    assert found.holder == NOBODY
    async with running(second.run()):
        assert await epoch_of(second) > before


async def test_who_follows_takes_over_when_the_leader_is_gone_without_a_word(cells: Cells) -> None:
    gone = await cells().write("gone", SECONDS, after=0)
    follower = a_lease(cells(), "b")
    async with running(follower.run()):
        assert await epoch_of(follower) > gone


async def test_two_never_lead_at_once_and_one_always_will(cells: Cells) -> None:
    leases = [a_lease(cells(), name) for name in "abc"]
    async with running(*(lease.run() for lease in leases)):
        for _ in range(50):
            assert sum(lease.epoch is not None for lease in leases) <= 1
            await CLOCK.sleep(0.02)
        async with asyncio.timeout(WAIT_S):
            while not any(lease.epoch for lease in leases):
                await CLOCK.sleep(0.02)


async def test_the_leader_goes_on_after_nats_was_killed(own_nats: Server) -> None:
    async with connected(own_nats) as bus:
        lease = a_lease(bus.lease_cell("x"), "a")
        async with running(lease.run()):
            before = await epoch_of(lease)
            await in_thread(own_nats.kill)
            with pytest.raises(DependencyUnavailable):
                await bus.lease_cell("x").read()
            async with asyncio.timeout(WAIT_S):
                while lease.epoch is not None:
                    await CLOCK.sleep(0.02)
            await in_thread(own_nats.start)
            assert await epoch_of(lease) == before


async def test_epochs_grow_also_when_the_server_came_back_empty(own_nats: Server) -> None:
    async with connected(own_nats) as bus:
        lease = a_lease(bus.lease_cell("x"), "a")
        async with running(lease.run()):
            before = await epoch_of(lease)
            await in_thread(own_nats.kill, own_nats.wipe, own_nats.start)
            async with asyncio.timeout(WAIT_S):
                while (lease.epoch or before) <= before:
                    await CLOCK.sleep(0.02)


async def test_what_somebody_wrote_by_hand_is_nobodys_lease(own_nats: Server) -> None:
    async with connected(own_nats) as bus, outside(own_nats) as client:
        await bus.lease_cell("x").write("a", 600, after=0)
        bucket = await client.jetstream().key_value(LEASES_BUCKET)
        await bucket.put("x", b"mine!")
        lease = a_lease(bus.lease_cell("x"), "b")
        async with running(lease.run()):
            await epoch_of(lease)
