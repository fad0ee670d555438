"""When gateways have let go of a generation."""

import asyncio

import pytest

from modelium.common.testing import FakeClock
from modelium.runtime_agent.drain import AWAY_POLL_S, LEASE_S, DrainTracker, doubt_silence
from tests.agent_kit import AwayBus, stats

BEGAN_S = 100.0


@pytest.mark.parametrize(
    ("routed", "serving", "at_s", "drained", "why"),
    [
        (None, (), 100.5, True, "routes nowhere, serves nothing"),
        (4, (), 100.5, True, "routes to a newer generation"),
        ((2, 4), (4,), 100.5, True, "two others of the model go on serving"),
        ((2, 3), (), 100.5, False, "would still send some new requests there"),
        (3, (), 100.5, False, "would still send new requests there"),
        (None, (3,), 100.5, False, "a request is still running"),
        (None, (2, 3), 100.5, False, "one of several is"),
        (None, (2,), 100.5, True, "only an older engine is still in use"),
        (None, (), 99.9, False, "was said before the drain began"),
        (None, (), 100.0, False, "was said in the very moment the drain began"),
    ],
)
def test_a_gateway_lets_go(
    routed: int | tuple[int, ...] | None,
    serving: tuple[int, ...],
    at_s: float,
    drained: bool,
    why: str,
) -> None:
    tracker = DrainTracker(0.0)
    tracker.heard(stats(routed=routed, serving=serving), at_s)
    assert tracker.is_drained("qwen", 3, since_s=BEGAN_S, now_s=101.0) is drained, why


def test_every_gateway_must_have_let_go() -> None:
    tracker = DrainTracker(0.0)
    tracker.heard(stats("g1"), 100.5)
    tracker.heard(stats("g2", serving=(3,)), 100.5)
    assert not tracker.is_drained("qwen", 3, since_s=BEGAN_S, now_s=101.0)
    tracker.heard(stats("g2"), 100.9)
    assert tracker.is_drained("qwen", 3, since_s=BEGAN_S, now_s=101.0)


def test_a_gateway_that_has_fallen_silent_no_longer_counts() -> None:
    tracker = DrainTracker(0.0)
    tracker.heard(stats(serving=(3,)), 100.5)
    assert not tracker.is_drained("qwen", 3, since_s=BEGAN_S, now_s=100.5 + LEASE_S)
    assert tracker.is_drained("qwen", 3, since_s=BEGAN_S, now_s=100.6 + LEASE_S)


def test_an_engine_is_in_use_while_a_gateway_that_lives_has_requests_there() -> None:
    tracker = DrainTracker(0.0)
    tracker.heard(stats("g1", routed=3), 100.0)
    assert not tracker.serves("qwen", 3, now_s=100.0)
    tracker.heard(stats("g2", serving=(3,)), 100.0)
    assert tracker.serves("qwen", 3, now_s=100.0)
    assert not tracker.serves("qwen", 2, now_s=100.0)
    assert not tracker.serves("qwen", 3, now_s=100.1 + LEASE_S)


def test_another_model_with_the_same_generation_does_not_count() -> None:
    tracker = DrainTracker(0.0)
    tracker.heard(stats(routed=3, serving=(3,)), 100.5)
    assert tracker.is_drained("llama", 3, since_s=BEGAN_S, now_s=101.0)


def test_without_gateways_an_engine_is_drained_once_one_would_have_been_heard() -> None:
    tracker = DrainTracker(listening_since_s=98.0)
    assert not tracker.is_drained("qwen", 3, since_s=BEGAN_S, now_s=102.9)
    assert tracker.is_drained("qwen", 3, since_s=BEGAN_S, now_s=103.0)


def test_after_a_gap_silence_proves_nothing() -> None:
    tracker = DrainTracker(0.0)
    tracker.missed_some(100.0)
    assert not tracker.is_drained("qwen", 3, since_s=BEGAN_S, now_s=101.0)


async def test_silence_while_nats_is_away_proves_nothing_until_gateways_had_time_to_speak(
    clock: FakeClock,
) -> None:
    bus, tracker = AwayBus(), DrainTracker(clock.monotonic())
    tracker.heard(stats(routed=3), clock.monotonic())
    began_s = clock.monotonic()

    def drained() -> bool:
        return tracker.is_drained("qwen", 3, since_s=began_s, now_s=clock.monotonic())

    watching = asyncio.ensure_future(doubt_silence(tracker, bus, clock))
    await clock.until_sleeping()
    await clock.advance(20 * LEASE_S)
    assert not drained()
    bus.connected = True
    await clock.advance(LEASE_S - 2 * AWAY_POLL_S)
    assert not drained()
    await clock.advance(2 * AWAY_POLL_S)
    assert drained()
    watching.cancel()


def test_gateways_that_are_gone_are_forgotten() -> None:
    tracker = DrainTracker(0.0)
    for number in range(100):
        tracker.heard(stats(f"g{number}"), number * LEASE_S * 2)
    assert tracker.gateways == 1
