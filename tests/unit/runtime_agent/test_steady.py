"""An engine while whoever runs it does not answer, and errors of Docker's client."""

import asyncio
from collections.abc import Callable

import docker.errors
import pytest
import requests

from modelium.common.errors import DependencyUnavailable
from modelium.common.testing import FakeClock
from modelium.runtime_agent.containers import _blocking
from modelium.runtime_agent.steady import RETRY_S, SteadyEngine
from tests.agent_fakes import FakeEngine


async def test_what_was_seen_last_stands_while_nobody_answers(clock: FakeClock) -> None:
    engine = FakeEngine()
    steady = SteadyEngine(engine, clock)
    status, usage = await steady.status(), await steady.usage()
    engine.away = True
    assert await steady.status() == status
    assert await steady.usage() == usage
    assert await steady.log_tail(5) == ()
    await steady.forget()


async def test_an_engine_that_cannot_be_asked_to_end_is_killed_as_soon_as_possible(
    clock: FakeClock,
) -> None:
    engine = FakeEngine(away=True)
    stopping = asyncio.ensure_future(SteadyEngine(engine, clock).stop(5.0))
    await clock.until_sleeping()
    await clock.advance(60)
    assert not stopping.done()
    engine.away = False
    await clock.advance(RETRY_S)
    await stopping
    assert engine.killed


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ReadTimeout("slow"),
        requests.exceptions.ConnectionError("gone"),
        docker.errors.APIError("500 Server Error", explanation="cannot stop container"),
    ],
)
async def test_any_error_of_dockers_client_is_told_in_our_words(error: Exception) -> None:
    def fails() -> Callable[[], None]:
        raise error

    with pytest.raises(DependencyUnavailable, match="Docker Engine"):
        await _blocking(fails)
