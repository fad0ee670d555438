"""What becomes of a message, by how its handler ended."""

import pytest
from pydantic import ValidationError

from modelium.common.bus import bind
from modelium.common.delivery import Again, Dead, Done, Outcome, outcome
from modelium.common.errors import (
    Conflict,
    DependencyUnavailable,
    IllegalTransition,
    Reject,
    RetryLater,
)
from modelium.common.events import Message, ModelRequested

AWAY = DependencyUnavailable("Redis is away", "Start it")


@pytest.mark.parametrize(
    ("error", "failures", "expected"),
    [
        (None, 0, Done()),
        (None, 4, Done()),
        (RetryLater("soon", delay_s=3), 0, Again(3, "soon", counts=False)),
        (RetryLater("soon", delay_s=3), 99, Again(3, "soon", counts=False)),
        (AWAY, 99, Again(10, "Redis is away. Start it", counts=False)),
        (Reject("no"), 0, Dead("no")),
        (IllegalTransition("loaded", "X"), 0, Dead("X is not allowed in state loaded")),
        (RuntimeError("bug"), 0, Again(0.5, "RuntimeError: bug", counts=True)),
        (RuntimeError("bug"), 3, Again(4, "RuntimeError: bug", counts=True)),
        (RuntimeError("bug"), 4, Dead("failed 5 times: RuntimeError: bug")),
        (Conflict("k", 1), 0, Again(0.5, "Conflict: k is no longer at version 1", counts=True)),
    ],
)
def test_outcome(error: Exception | None, failures: int, expected: Outcome) -> None:
    assert outcome(error, failures) == expected


def test_a_payload_that_does_not_parse_is_dead_with_every_problem_on_one_line() -> None:
    with pytest.raises(ValidationError) as caught:
        ModelRequested.model_validate({"requested_by": 1})
    assert outcome(caught.value, 0) == Dead(
        "model: Field required; requested_by: Input should be a valid string"
    )


async def test_bind_gives_each_handler_what_its_keywords_name() -> None:
    seen: list[object] = []

    async def handle(message: Message, *, store: str) -> None:
        seen.append((message, store))

    message = ModelRequested(model="qwen")
    bound = bind({ModelRequested: handle}, store="the store", bus="not wanted")
    await bound[ModelRequested](message)
    assert seen == [(message, "the store")]


def test_bind_refuses_a_handler_that_needs_what_is_not_given() -> None:
    async def handle(message: Message, *, store: str) -> None: ...

    with pytest.raises(TypeError, match="handle needs store"):
        bind({ModelRequested: handle}, bus="the bus")
