"""Errors become values; cancellation never gets lost."""

import asyncio

import pytest

from modelium.common.boundary import attempt, cancellable
from modelium.common.testing import yield_to_others


async def swallow(started: asyncio.Event) -> None:
    """As a library does that mistakes a cancellation for its own."""
    started.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return


async def test_attempt_gives_back_the_error() -> None:
    async def fail() -> None:
        raise ValueError("why")

    assert str(await attempt(fail())) == "why"


async def test_attempt_of_what_succeeds_is_none() -> None:
    assert await attempt(yield_to_others(1)) is None


async def test_attempt_lets_cancellation_through() -> None:
    task = asyncio.ensure_future(attempt(asyncio.Event().wait()))
    await yield_to_others(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_was_lost_within_is_raised_after() -> None:
    started = asyncio.Event()

    async def work() -> None:
        with cancellable():
            await swallow(started)

    task = asyncio.ensure_future(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_is_cancelled_may_still_clean_up() -> None:
    started, cleaned = asyncio.Event(), []

    async def work() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            with cancellable():
                await yield_to_others(1)
            cleaned.append("all of it")

    task = asyncio.ensure_future(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == ["all of it"]


async def test_a_timeout_within_is_no_cancellation() -> None:
    with pytest.raises(TimeoutError), cancellable():
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
