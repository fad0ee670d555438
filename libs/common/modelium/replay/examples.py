"""What a brain learns from: questions as the brain asks them, with the answers of hindsight. Pure.

An example is a line of JSON with the fields of `Example`. The last share of each trace is held out:
nothing of it is learned from, nor what came just before it, for the answers there look into it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import inf
from typing import Final

from modelium.common.advice import MetricsTick
from modelium.common.figures import Decision
from modelium.core import rules
from modelium.core.contest import contest
from modelium.core.policy import Policy
from modelium.core.prompts import DECISIONS, about_decisions, answer_of
from modelium.replay.contenders import BRAIN, CannotReplay, Contenders, Setup
from modelium.replay.deciding import time_of
from modelium.replay.hindsight import Hindsight, hindsight
from modelium.replay.trace import HOUR_S, Request, Trace

BLIND_S: Final = 300.0
"""Between the two parts: as far as most labels look ahead."""
FOLLOWED: Final = 2
"""Every second question is answered by the rules instead, so that there are examples also of
states into which hindsight never gets."""


class Part(StrEnum):
    """What an example may be used for."""

    TRAIN = "train"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True)
class Example:
    """One question and its best answer."""

    part: Part
    trace: str
    held_from_s: float
    """When the part of this trace begins that is held out."""
    at_s: float
    """Since its part began."""
    prompt: str
    """The version of the question."""
    system: str
    user: str
    answer: str

    def line(self) -> str:
        """As it is in the file."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Split:
    """A trace in two parts, each of which begins at 0."""

    name: str
    held_from_s: float
    parts: Mapping[Part, Trace]


def split(trace: Trace, held_out: float) -> Split:
    """Its last share in time, from 0 to 1, is held out.

    Raises:
        CannotReplay: a part is empty.
    """
    end_s = trace.requests[-1].at_s
    cut_s = end_s * (1 - held_out)
    parts = {
        Part.TRAIN: between(trace, 0, cut_s - BLIND_S),
        Part.HELD_OUT: between(trace, cut_s, inf),
    }
    for part, requests in parts.items():
        if not requests.requests:
            raise CannotReplay(
                f"{trace.name} has nothing in its part {part}: it is {end_s / HOUR_S:.2f} h long, "
                f"of which {held_out:.0%} are held out and {BLIND_S:.0f} s before them left out"
            )
    return Split(trace.name, cut_s, parts)


def between(trace: Trace, from_s: float, to_s: float) -> Trace:
    """The requests that come then, as a trace that begins at 0."""
    kept = (r for r in trace.requests if from_s <= r.at_s < to_s)
    return Trace(trace.name, tuple(Request(r.at_s - from_s, r.model, r.lasts_s) for r in kept))


@dataclass(slots=True)
class _Teacher:
    """Implements `deciding.Advisor`: answers, and writes down what was asked."""

    part: Part
    of: Split
    policy: Policy
    knows: Hindsight
    written: list[Example]
    asked: int = 0

    def __call__(self, tick: MetricsTick) -> tuple[Decision, ...]:
        contestants = contest(tick, self.policy)
        if not contestants:
            return rules.advise(tick, self.policy)
        prompt = about_decisions(tick, contestants)
        chosen = self.knows.choices(tick, contestants)
        self.written.append(
            Example(
                part=self.part,
                trace=self.of.name,
                held_from_s=self.of.held_from_s,
                at_s=time_of(tick),
                prompt=DECISIONS,
                system=prompt.system,
                user=prompt.user,
                answer=answer_of(chosen),
            )
        )
        self.asked += 1
        return rules.advise(tick, self.policy) if self.asked % FOLLOWED else self.knows(tick)


def examples(
    of: Split, part: Part, setup: Setup, *, policy: Policy, interval_s: float
) -> list[Example]:
    """Of one part of a trace, in the order of time."""
    written: list[Example] = []
    trace = of.parts[part]
    teacher = _Teacher(part, of, policy, hindsight(trace.requests, policy), written)
    Contenders(policy=policy, interval_s=interval_s, brain=teacher).replay(BRAIN, trace, setup)
    return written
