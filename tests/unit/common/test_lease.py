"""Who leads when, second by second; leases are four seconds long."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from modelium.common.lease import NOBODY, Lease
from modelium.common.testing import FakeClock, InMemoryLeaseCell

SECONDS = 4.0


class World:
    """Processes that share a cell, each with a clock of its own: one held up misses time."""

    def __init__(self) -> None:
        self.cell = InMemoryLeaseCell()
        self.clocks: dict[str, FakeClock] = {}
        self.leases: dict[str, Lease] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.held_up: dict[str, float] = {}
        """How long each process that is held up has been so."""

    async def start(self, name: str) -> Lease:
        clock = self.clocks[name] = FakeClock()
        lease = Lease(self.cell, name="test", holder=name, seconds=SECONDS, clock=clock)
        self.leases[name] = lease
        self.tasks[name] = asyncio.ensure_future(lease.run())
        await clock.advance(0)
        return lease

    async def seconds(self, count: float) -> None:
        """Time goes by, in steps short enough for every look and renewal."""
        for _ in range(round(count * 4)):
            for name, clock in self.clocks.items():
                if name in self.held_up:
                    self.held_up[name] += 0.25
                else:
                    await clock.advance(0.25)

    def hold_up(self, name: str) -> None:
        """As SIGSTOP does: its time goes by without it."""
        self.held_up[name] = 0.0

    async def go_on(self, name: str) -> None:
        await self.clocks[name].advance(self.held_up.pop(name))

    async def kill(self, name: str) -> None:
        """It never runs again; what it holds it does not give back."""
        self.held_up[name] = 0.0

    async def end(self, name: str) -> None:
        """A clean stop."""
        self.tasks[name].cancel()
        await asyncio.wait([self.tasks[name]])

    def leaders(self) -> list[str]:
        """All that would act now, if asked."""
        return [name for name, lease in self.leases.items() if lease.epoch is not None]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    for name in world.tasks:
        await world.end(name)


async def test_the_first_leads_at_once_and_the_second_follows(world: World) -> None:
    first, second = await world.start("a"), await world.start("b")
    assert first.epoch == 1
    await world.seconds(60)
    assert world.leaders() == ["a"]
    assert first.epoch == 1
    assert second.trusted_for_s == 0


async def test_a_killed_leader_is_replaced_after_its_lease_and_not_before(world: World) -> None:
    await world.start("a")
    second = await world.start("b")
    await world.seconds(2)
    await world.kill("a")
    await world.seconds(SECONDS - 1)
    assert second.epoch is None
    await world.seconds(2)
    assert (second.epoch or 0) > 1


async def test_a_leader_that_was_held_up_knows_at_once_that_it_may_not_lead(world: World) -> None:
    held_up = await world.start("a")
    await world.start("b")
    await world.seconds(2)
    world.hold_up("a")
    await world.seconds(10)
    # Before any of its tasks has run again.
    clock = world.clocks["a"]
    clock.jump(world.held_up.pop("a"))
    assert held_up.epoch is None
    await world.seconds(2)
    assert world.leaders() == ["b"]


async def test_a_leader_stops_before_anybody_else_could_begin(world: World) -> None:
    """It cannot write any more, and nobody knows whether others can."""
    first = await world.start("a")
    assert first.trusted_for_s == 0.75 * SECONDS
    world.cell.away = True
    await world.seconds(2.75)
    assert first.epoch is not None
    await world.seconds(0.5)
    assert first.epoch is None


async def test_a_leader_goes_on_with_its_term_when_nobody_has_taken_it(world: World) -> None:
    first = await world.start("a")
    world.cell.away = True
    await world.seconds(30)
    world.cell.away = False
    await world.seconds(1)
    assert first.epoch == 1


async def test_time_without_an_answer_does_not_count_against_the_leader(world: World) -> None:
    await world.start("a")
    await world.start("b")
    await world.seconds(1)
    world.cell.away = True
    await world.seconds(30)
    world.cell.away = False
    await world.seconds(10)
    assert world.leaders() == ["a"]


async def test_a_renewal_whose_answer_was_lost_is_no_loss(world: World) -> None:
    first = await world.start("a")
    world.cell.loses_answers = True
    await world.seconds(1)
    world.cell.loses_answers = False
    await world.seconds(1)
    assert first.epoch == 1
    assert first.trusted_for_s > 0


async def test_an_acquisition_whose_answer_was_lost_is_made_again(world: World) -> None:
    world.cell.loses_answers = True
    first = await world.start("a")
    assert first.epoch is None
    world.cell.loses_answers = False
    await world.seconds(1)
    assert first.epoch == 2


async def test_a_clean_end_gives_it_back_for_the_next_to_take_at_once(world: World) -> None:
    await world.start("a")
    second = await world.start("b")
    await world.end("a")
    assert world.cell.held is not None
    assert world.cell.held.holder == NOBODY
    await world.seconds(0.5)
    assert second.epoch == 3


async def test_who_follows_waits_for_as_long_as_the_leader_has_said(world: World) -> None:
    """Two that disagree about the length, as while a setting is being changed."""
    await world.cell.write("patient", 20.0, after=0)
    second = await world.start("b")
    await world.seconds(19)
    assert second.epoch is None
    await world.seconds(2)
    assert second.epoch is not None


@asynccontextmanager
async def working(lease: Lease, work: Callable[[], asyncio.Future[None]]) -> AsyncIterator[None]:
    async def wait_for_it() -> None:
        await work()

    task = asyncio.ensure_future(lease.while_leading(wait_for_it))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_leaders_work_ends_with_its_term_and_begins_with_the_next(world: World) -> None:
    begun: list[asyncio.Future[None]] = []

    def work() -> asyncio.Future[None]:
        begun.append(asyncio.get_running_loop().create_future())
        return begun[-1]

    first = await world.start("a")
    await world.start("b")
    async with working(first, work):
        await world.seconds(1)
        assert len(begun) == 1
        world.hold_up("a")
        await world.seconds(10)
        await world.go_on("a")
        assert begun[0].cancelled()
        await world.end("b")
        await world.seconds(2)
        assert len(begun) == 2
        assert not begun[1].done()


async def test_an_error_of_a_leaders_work_is_not_swallowed(world: World) -> None:
    first = await world.start("a")

    async def work() -> None:
        raise ValueError("wrong")

    with pytest.raises(ExceptionGroup, match="unhandled"):
        await first.while_leading(work)
