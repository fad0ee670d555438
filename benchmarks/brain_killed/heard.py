"""What is said on NATS about decisions, and what became of each tick."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import nats
from nats.aio.msg import Msg

from modelium.common.advice import DecisionMade, MetricsTick
from modelium.common.clock import Clock
from modelium.common.figures import DecisionSource
from modelium.common.subjects import subject_for
from modelium.core.digest import digest_of_tick

BRAIN: Final = "brain"


@dataclass(frozen=True)
class Tick:
    """One tick and what was said to it; seconds are from the tick on."""

    at_s: float
    """Monotonic, when it was heard."""
    answered_s: float | None = None
    """The decision that counts; None: there was none."""
    by: DecisionSource | None = None
    """Who thought of that."""
    in_place: str = ""
    """Why the rules answered in the place of a language model that leads."""
    llm_s: float | None = None
    """What the language model decided, whether or not it led."""


@dataclass
class Heard:
    """Everything so far, with the time when it was heard."""

    ticks: list[tuple[float, str]] = field(default_factory=list)
    """With the digest by which decisions name them."""
    made: list[tuple[float, DecisionMade]] = field(default_factory=list)

    def dropped(self, began_s: float, ended_s: float) -> int:
        """Decisions that the guard dropped in this time."""
        return sum(
            bool(decision.dropped_by)
            for at_s, made in self.made
            if began_s <= at_s < ended_s and made.origin != BRAIN
            for decision in made.decisions
        )

    def answers(self) -> list[Tick]:
        """Of each tick, in order."""
        by_digest: dict[str, list[tuple[float, DecisionMade]]] = {}
        for at_s, made in self.made:
            if made.origin == BRAIN:
                by_digest.setdefault(made.inputs_digest, []).append((at_s, made))
        return [_tick(at_s, by_digest.get(digest, ())) for at_s, digest in self.ticks]


def _tick(at_s: float, said: Sequence[tuple[float, DecisionMade]]) -> Tick:
    counts = [(when_s, made) for when_s, made in said if not made.shadow]
    by_llm = [when_s for when_s, m in said if m.source is DecisionSource.LLM and not m.failure]
    llm_s = by_llm[0] - at_s if by_llm else None
    if not counts:
        return Tick(at_s, llm_s=llm_s)
    when_s, made = counts[0]
    return Tick(at_s, when_s - at_s, made.source, made.failure, llm_s)


def unanswered(ticks: Sequence[Tick], began_s: float, ended_s: float) -> list[Tick]:
    """Those of this time without a decision, though they should have one.

    One in which nothing should change is answered every second time (`brain/answering.py`), so
    the one before it has an answer.
    """
    found, before_answered = [], False
    for tick in ticks:
        silent = tick.answered_s is None
        if silent and not before_answered and began_s <= tick.at_s < ended_s:
            found.append(tick)
        before_answered = not silent
    return found


@asynccontextmanager
async def listening(nats_url: str, clock: Clock) -> AsyncIterator[Heard]:
    """Hear all ticks and decisions from now on."""
    heard = Heard()
    client = await nats.connect(nats_url)

    async def tick(message: Msg) -> None:
        at_s = clock.monotonic()
        heard.ticks.append((at_s, digest_of_tick(MetricsTick.model_validate_json(message.data))))

    async def made(message: Msg) -> None:
        at_s = clock.monotonic()
        heard.made.append((at_s, DecisionMade.model_validate_json(message.data)))

    await client.subscribe(subject_for(MetricsTick), cb=tick)
    await client.subscribe(subject_for(DecisionMade), cb=made)
    await client.flush()
    try:
        yield heard
    finally:
        await client.close()
