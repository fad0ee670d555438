"""What opens and closes a breaker, step by step and under any course of events."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from modelium.gateway.engines.breaker import (
    FIRST_OPEN_S,
    LONGEST_OPEN_S,
    PROBE_S,
    Breaker,
    BreakerState,
)


def opened(now_s: float = 0) -> Breaker:
    breaker = Breaker()
    breaker.failed(breaker.sent(now_s), now_s)
    return breaker


def test_one_failure_opens_it_for_a_second() -> None:
    breaker = opened(10)
    assert (breaker.state(10.9), breaker.permits(10.9)) == (BreakerState.OPEN, False)
    assert (breaker.state(11), breaker.permits(11)) == (BreakerState.HALF_OPEN, True)


def test_a_half_open_one_lets_one_probe_through_and_an_answer_closes_it() -> None:
    breaker = opened()
    probe = breaker.sent(1)
    assert not breaker.permits(1)
    breaker.succeeded(probe)
    assert breaker.state(1) is BreakerState.CLOSED


def test_a_probe_that_ends_without_an_answer_makes_room_for_the_next() -> None:
    breaker = opened()
    breaker.abandoned(breaker.sent(1))
    assert breaker.permits(1)


def test_a_probe_whose_answer_takes_long_does_not_keep_the_next_waiting() -> None:
    breaker = opened()
    breaker.sent(1)
    assert not breaker.permits(1 + PROBE_S - 0.1)
    assert breaker.permits(1 + PROBE_S)


@pytest.mark.parametrize(
    ("failures", "open_s"), [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, 30.0), (2000, 30.0)]
)
def test_each_failed_probe_doubles_the_pause_up_to_a_bound(failures: int, open_s: float) -> None:
    breaker, now_s = Breaker(), 0.0
    for _ in range(failures):
        now_s = max(now_s, breaker.open_until_s)
        breaker.failed(breaker.sent(now_s), now_s)
    assert breaker.open_until_s - now_s == open_s


def test_many_requests_that_fail_together_count_once() -> None:
    breaker = Breaker()
    eras = [breaker.sent(0) for _ in range(5)]
    for era in eras:
        breaker.failed(era, 0.5)
    assert (breaker.openings, breaker.open_until_s) == (1, 0.5 + FIRST_OPEN_S)


def test_an_answer_to_a_request_from_before_it_opened_does_not_close_it() -> None:
    breaker = Breaker()
    slow, failing = breaker.sent(0), breaker.sent(0)
    breaker.failed(failing, 1)
    breaker.succeeded(slow)
    assert breaker.state(1.5) is BreakerState.OPEN


class AnyCourse(RuleBasedStateMachine):
    """Requests are sent when permitted, and end in any way, in any order, at any time."""

    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now_s = 0.0
        self.failed_at_s: float | None = None

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(target=sent)
    def send(self) -> int:
        if not self.breaker.permits(self.now_s):
            return -1  # nothing was sent
        was_half_open = self.breaker.state(self.now_s) is BreakerState.HALF_OPEN
        era = self.breaker.sent(self.now_s)
        assert not was_half_open or not self.breaker.permits(self.now_s)
        return era

    @rule(era=consumes(sent))
    def answer(self, era: int) -> None:
        current = era == self.breaker.era
        before = self.breaker.state(self.now_s)
        self.breaker.succeeded(era)
        expected = BreakerState.CLOSED if current else before
        assert self.breaker.state(self.now_s) is expected

    @rule(era=consumes(sent))
    def fail(self, era: int) -> None:
        current = era == self.breaker.era
        self.breaker.failed(era, self.now_s)
        if current:
            assert self.breaker.state(self.now_s) is BreakerState.OPEN

    @rule(era=consumes(sent))
    def abandon(self, era: int) -> None:
        before = self.breaker.state(self.now_s)
        self.breaker.abandoned(era)
        assert self.breaker.state(self.now_s) is before

    @invariant()
    def nothing_is_permitted_while_it_is_open(self) -> None:
        if self.breaker.state(self.now_s) is BreakerState.OPEN:
            assert not self.breaker.permits(self.now_s)

    @invariant()
    def it_never_keeps_everybody_out_for_longer_than_the_bound(self) -> None:
        assert self.breaker.permits(self.now_s + max(LONGEST_OPEN_S, PROBE_S))

    @invariant()
    def a_closed_one_permits_everything(self) -> None:
        if self.breaker.state(self.now_s) is BreakerState.CLOSED:
            assert self.breaker.permits(self.now_s)


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
