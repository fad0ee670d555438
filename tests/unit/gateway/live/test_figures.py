"""The figures of several gateways, added up."""

from typing import Any

from modelium.common.events import GatewayStats
from modelium.common.figures import LEASE_S, GatewayModelStats
from modelium.gateway.live.figures import WINDOW_S, AllFigures

OWN = "own"


def of(**changes: Any) -> GatewayModelStats:
    nothing = {"requests": 0, "failures": 0, "in_flight": 0, "waiting": 0, "oldest_wait_s": 0}
    fields = {**nothing, "model": "qwen", "idle_s": None, "routed_generations": (), **changes}
    return GatewayModelStats.model_validate(fields)


def said(gateway: str, **changes: Any) -> GatewayStats:
    return GatewayStats(gateway_id=gateway, models=(of(**changes),))


def test_ours_are_as_of_now_and_the_others_as_they_were_told() -> None:
    figures = AllFigures(OWN)
    figures.heard(said(OWN, in_flight=100, waiting=100), 0.0)
    figures.heard(said("a", in_flight=2, waiting=1, oldest_wait_s=5, latency_p99_s=3), 0.0)
    now = figures.of("qwen", of(in_flight=1, latency_p50_s=1, latency_p99_s=2), 2.0)
    assert (now.in_flight, now.waiting, now.oldest_wait_s) == (3, 1, 7.0)
    assert (now.p50_s, now.p99_s, now.idle_s) == (1, 3, 0.0)
    assert figures.gateways == 2


def test_a_gateway_that_is_silent_counts_no_more() -> None:
    figures = AllFigures(OWN)
    figures.heard(said("a", in_flight=2), 0.0)
    figures.expire(LEASE_S)
    assert figures.of("qwen", None, LEASE_S).in_flight == 0
    assert figures.gateways == 1


def test_the_last_use_is_that_of_any_gateway() -> None:
    figures = AllFigures(OWN)
    figures.heard(said("a", idle_s=1.0), 0.0)
    assert figures.of("qwen", of(idle_s=60.0), 2.0).idle_s == 3.0
    assert AllFigures(OWN).of("qwen", of(), 2.0).idle_s is None


def test_requests_per_second_are_those_that_ended_within_the_window() -> None:
    """What a gateway had counted before it was first heard is not of now."""
    figures = AllFigures(OWN)
    for at_s, requests in ((0.0, 1000), (1.0, 1020), (2.0, 1020)):
        figures.heard(said("a", requests=requests), at_s)
    assert figures.of("qwen", of(), 2.0).requests_per_second == 20 / WINDOW_S
    assert figures.of("qwen", of(), 1.1 + WINDOW_S).requests_per_second == 0.0
    figures.heard(said("a", requests=5), 3.0)
    assert figures.of("qwen", of(), 3.0).requests_per_second == 20 / WINDOW_S, "it has started anew"
