"""A client that leaves a stream is no failure; whatever else an application raises is one."""

from typing import Any

import pytest
from anyio import BrokenResourceError

from modelium.gateway.edge.leaving import told_while_there


async def nothing(*_: Any) -> Any:
    """Plays `receive` and `send`."""


async def serve(error: Exception) -> None:
    async def app(*_: Any) -> None:
        raise ExceptionGroup("unhandled errors in a TaskGroup", [error])

    await told_while_there(app, {}, nothing, nothing)


async def test_a_stream_whose_client_has_left_just_ends() -> None:
    """Each closed page of events was logged as a fault of ours, with its traceback."""
    await serve(BrokenResourceError())


async def test_a_fault_is_still_raised() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await serve(ValueError("a fault"))
    assert raised.group_contains(ValueError)
