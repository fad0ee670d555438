"""Three ways to wait that asyncio leaves to its users; all own the tasks they make."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def until_told(work: Coroutine[Any, Any, None], orders: asyncio.Queue[T]) -> T | None:
    """Do `work` until it ends (None) or an order arrives: then cancel it, wait for its end,
    and return the order. What `work` raises is raised, unless it was cancelled for an order.
    """
    doing = asyncio.ensure_future(work)
    told = asyncio.ensure_future(orders.get())
    try:
        await asyncio.wait({doing, told}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done() and not told.done():
            doing.result()
            return None
        return told.result()
    finally:
        await _end(doing, told)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do `work` to its end even when cancelled meanwhile; then be cancelled.

    For what must not be left half done, such as starting an engine.
    """
    doing = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await _finish(doing)
        raise


async def first_to_end(*works: Coroutine[Any, Any, object]) -> None:
    """Do all of them until one ends; then cancel the others and wait for their ends."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _end(*tasks)


async def _finish(*tasks: asyncio.Future[Any]) -> None:
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen: what matters of it is raised by the caller


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await _finish(*tasks)
