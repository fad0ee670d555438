"""Analyses beside each other: of one path the newest discovery's, and no message is given up."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from modelium.common.bus import bind
from modelium.common.descriptor import Descriptor
from modelium.common.errors import DependencyUnavailable, RetryLater
from modelium.common.events import ModelAnalyzed, ModelDiscovered
from modelium.common.testing import FakeClock, yield_to_others
from modelium.watcher.filesystem import ModelFolders
from modelium.watcher.handlers import HANDLERS
from modelium.watcher.in_hand import InHand, Superseded
from modelium.watcher.listing import Candidate

from . import models
from .analysts import InThisProcess
from .system import SETTINGS, System

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def discovered(message_id: str, fingerprint: str, *, at_s: float = 0) -> ModelDiscovered:
    return ModelDiscovered(
        message_id=message_id,
        occurred_at=BEGAN + timedelta(seconds=at_s),
        path="/models/qwen",
        model="qwen",
        fingerprint=fingerprint,
    )


async def held(in_hand: InHand, event: ModelDiscovered, began: asyncio.Event) -> bool:
    """Whether it was superseded; else it goes on for ever."""
    try:
        async with in_hand.newest(event, said_again=True):
            began.set()
            await asyncio.Event().wait()
    except Superseded:
        return True
    return False


@pytest.mark.parametrize(
    ("other", "raised"),
    [
        (discovered("2", "f1", at_s=1), Superseded),  # announced again meanwhile
        (discovered("2", "f0", at_s=-1), Superseded),  # late, of files before these
        (discovered("1", "f1"), RetryLater),  # the bus took us for dead: it has to keep it
    ],
)
async def test_what_is_in_hand_is_not_begun_twice(
    other: ModelDiscovered, raised: type[Exception]
) -> None:
    in_hand, began = InHand(FakeClock()), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(held(in_hand, discovered("1", "f1"), began))
        await began.wait()
        with pytest.raises(raised):
            async with in_hand.newest(other, said_again=True):
                pass
        assert not first.done()
        first.cancel()
    async with in_hand.newest(other, said_again=True):
        pass  # nothing is remembered of what has ended


async def test_newer_files_end_the_analysis_of_older_ones() -> None:
    in_hand, began = InHand(FakeClock()), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(held(in_hand, discovered("1", "f1"), began))
        await began.wait()
        async with in_hand.newest(discovered("2", "f2", at_s=1), said_again=True):
            assert await first
            with pytest.raises(Superseded):
                async with in_hand.newest(discovered("3", "f2", at_s=2), said_again=True):
                    pass


@pytest.mark.parametrize(
    ("other", "said_again", "answered"),
    [
        (discovered("2", "f1", at_s=-1), True, True),
        (discovered("1", "f1", at_s=-1), True, True),  # delivered again
        (discovered("2", "f1", at_s=-1), False, False),  # nobody would announce it anew
        (
            discovered("2", "f1", at_s=1),
            True,
            False,
        ),  # the registry may have lost it
        (discovered("2", "f2", at_s=-1), True, False),
    ],
)
async def test_what_was_announced_before_an_analysis_is_answered_by_it(
    other: ModelDiscovered, said_again: bool, answered: bool
) -> None:
    in_hand = InHand(FakeClock(BEGAN))
    async with in_hand.newest(discovered("1", "f1", at_s=-1), said_again=True):
        pass
    begun = []
    with suppress(Superseded):
        async with in_hand.newest(other, said_again=said_again):
            begun.append(other)
    assert (not begun) is answered


class SetBack(FakeClock):
    """Its wall clock can be set back."""

    behind = timedelta()

    def now(self) -> datetime:
        return super().now() - self.behind


async def test_what_is_announced_after_the_wall_clock_was_set_back_is_news() -> None:
    clock = SetBack(BEGAN)
    in_hand = InHand(clock)
    async with in_hand.newest(discovered("1", "f1", at_s=-1), said_again=True):
        pass
    clock.behind = timedelta(hours=1)
    begun = []
    async with in_hand.newest(discovered("2", "f1", at_s=-3600), said_again=True):
        begun.append("2")
    assert begun == ["2"]


async def test_an_analysis_that_failed_answers_nothing() -> None:
    in_hand = InHand(FakeClock(BEGAN))
    with pytest.raises(DependencyUnavailable):
        async with in_hand.newest(discovered("1", "f1", at_s=-1), said_again=True):
            raise DependencyUnavailable("the bus", "away")
    async with in_hand.newest(discovered("2", "f1", at_s=-1), said_again=True):
        pass


class Held(InThisProcess):
    """Analyses the model `big` when it is allowed to."""

    def __init__(self) -> None:
        self.allowed = asyncio.Event()

    async def analyse(self, candidate: Candidate, supported: Sequence[str]) -> Descriptor:
        if candidate.path.endswith("big"):
            await self.allowed.wait()
        return await super().analyse(candidate, supported)


async def test_a_model_that_takes_long_holds_up_no_other(system: System) -> None:
    analyst = Held()
    folders = ModelFolders(
        system.roots,
        supported=SETTINGS.supported_extensions,
        read_by_others=False,
        analyst=analyst,
    )
    for name in ("big", "small"):
        path = models.write_model(system.root / name)
        found = await folders.look(str(path))
        event = {"path": str(path), "model": name, "fingerprint": found.fingerprint}
        await system.bus.publish(ModelDiscovered.model_validate(event))
    needs = {"files": folders, "store": system.store, "bus": system.bus, "clock": system.clock}
    needs |= {"enabled": frozenset(), "in_hand": system.in_hand}
    handlers = bind(HANDLERS, **needs)

    async def until(count: int) -> list[str]:
        while len(system.bus.of(ModelAnalyzed)) < count:
            await yield_to_others()
        said = system.bus.of(ModelAnalyzed)
        return [event.model for event in said if isinstance(event, ModelAnalyzed)]

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        consumers = [tasks.create_task(system.bus.consume("watcher", handlers)) for _ in range(2)]
        assert await until(1) == ["small"]
        analyst.allowed.set()
        assert await until(2) == ["small", "big"]
        for consumer in consumers:
            consumer.cancel()


async def test_a_backlog_is_analysed_once_for_each_model_however_long_it_takes(
    system: System,
) -> None:
    names = [f"model-{number}" for number in range(5)]
    for name in names:
        models.write_model(system.root / name)
    for _ in range(60):  # the analyses are not begun
        await system.clock.advance(SETTINGS.scan_interval_seconds)
        await system.watch.look()
    announced = system.bus.of(ModelDiscovered)
    assert len(names) < len(announced) < 12 * len(names)
    await system.clock.advance(1)
    await system.handled()
    analysed = [event for event in system.bus.of(ModelAnalyzed) if isinstance(event, ModelAnalyzed)]
    assert sorted(event.model for event in analysed) == names
