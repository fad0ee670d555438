"""From what gateways say once a second to a trace."""

from collections import deque
from dataclasses import fields, is_dataclass

import pytest

from modelium.common.advice import MetricsTick
from modelium.common.figures import DeviceFigures, GatewayModelStats
from modelium.common.reports import GatewayStats
from modelium.replay.parts import Need
from modelium.replay.recording import FORGET_S, Recorder
from modelium.replay.trace import Request
from tests.unit.brain.kit import cold


def stats(
    requests: int, in_flight: int = 0, waiting: int = 0, by: str = "g", of: str = "a"
) -> GatewayStats:
    model = GatewayModelStats(
        model=of,
        requests=requests,
        failures=0,
        in_flight=in_flight,
        waiting=waiting,
        oldest_wait_s=0,
        idle_s=None,
        routed_generations=(),
    )
    return GatewayStats(gateway_id=by, models=(model,))


def test_arrivals_are_spread_over_the_second_and_engine_time_is_shared_out() -> None:
    recorder = Recorder(began_s=100.0)
    assert recorder.heard(stats(7), 100.0) == []
    assert recorder.heard(stats(7, in_flight=2), 101.0) == []
    assert recorder.heard(stats(7, in_flight=2), 102.0) == []
    assert recorder.heard(stats(9), 103.0) == [Request(0.25, "a", 2.0), Request(0.75, "a", 2.0)]
    assert recorder.finish() == []


def test_waiting_counts_as_arrived_but_not_as_served() -> None:
    recorder = Recorder(began_s=0.0)
    recorder.heard(stats(0), 0.0)
    recorder.heard(stats(0, waiting=1), 1.0)
    recorder.heard(stats(0, waiting=1), 30.0)
    recorder.heard(stats(0, in_flight=1), 31.0)
    assert recorder.heard(stats(1), 33.0) == [Request(0.5, "a", 2.0)]


def test_what_came_before_the_recording_is_not_part_of_it() -> None:
    recorder = Recorder(began_s=0.0)
    recorder.heard(stats(50, in_flight=1, waiting=1), 0.0)
    recorder.heard(stats(50, in_flight=3), 1.0)
    assert recorder.heard(stats(52, in_flight=1), 2.0) == []
    assert [r.at_s for r in recorder.heard(stats(53), 3.0)] == [0.5]


def test_a_request_between_two_engines_does_not_come_twice() -> None:
    recorder = Recorder(began_s=0.0)
    recorder.heard(stats(0), 0.0)
    recorder.heard(stats(0, in_flight=1), 1.0)
    recorder.heard(stats(0), 2.0)  # on its way from a dead engine to another
    recorder.heard(stats(0, in_flight=1), 3.0)
    assert len(recorder.heard(stats(1), 4.0)) == 1
    assert recorder.finish() == []


def test_a_gateway_that_starts_again_begins_to_count_again() -> None:
    recorder = Recorder(began_s=0.0)
    recorder.heard(stats(5), 0.0)
    recorder.heard(stats(5, in_flight=1), 1.0)
    lost = recorder.heard(stats(2), 5.0)
    assert [round(r.at_s, 2) for r in lost] == [0.5, 2.0, 4.0]


def test_two_gateways_are_counted_apart_and_what_is_open_at_the_end_is_kept() -> None:
    recorder = Recorder(began_s=0.0)
    for by in ("g", "h"):
        recorder.heard(stats(3, by=by), 0.0)
        recorder.heard(stats(3, in_flight=1, by=by), 1.0)
    assert recorder.heard(stats(4, by="h"), 2.0) == [Request(0.5, "a", 1.0)]
    assert recorder.finish() == [Request(0.5, "a", pytest.approx(0.0))]
    assert recorder.gateways == 2


def remembered(thing: object) -> int:
    """How many things it holds, whatever they are."""
    if isinstance(thing, dict):
        return len(thing) + sum(map(remembered, thing.values()))
    if isinstance(thing, set | list | deque):
        return len(thing)
    if is_dataclass(thing):
        return sum(remembered(getattr(thing, each.name)) for each in fields(thing))
    return 0


def test_gateways_and_models_that_are_gone_are_forgotten_however_long_it_records() -> None:
    # Each start of a gateway, and each name that a model ever had, was remembered for good.
    recorder, ended, held = Recorder(began_s=0.0), [], []
    for n in range(20):
        now_s, by, of = n * FORGET_S, f"gateway-{n}", f"model-{n}"
        recorder.ticked(MetricsTick(interval_s=10, models=(cold(of, needed_bytes=9),), devices=()))
        ended += recorder.heard(stats(0, by=by, of=of), now_s)
        ended += recorder.heard(stats(0, in_flight=1, by=by, of="a"), now_s + 1)
        held.append(remembered(recorder))
    assert len(ended) == 18  # those of gateways that fell silent have ended
    assert max(held[5:]) == held[5]
    assert len(ended + recorder.finish()) == 20


def test_what_recorded_models_need_is_kept_when_they_are_gone() -> None:
    recorder = Recorder(began_s=0.0)
    for name in ("a", "b"):
        devices, models = (), (cold(name, needed_bytes=9),)
        recorder.ticked(MetricsTick(interval_s=10, models=models, devices=devices))
        recorder.heard(stats(0), 0.0)
        recorder.heard(stats(1), 1.0)
    assert recorder.needs.keys() == {"a", "b"}
    recorder.keep_only(())
    recorder.ticked(MetricsTick(interval_s=10, models=(), devices=()))
    assert not recorder.needs


def test_ticks_say_what_models_need_and_what_devices_there_are() -> None:
    recorder = Recorder(began_s=0.0)
    devices = tuple(
        DeviceFigures(device_id=f"gpu-{n}", total_bytes=24 + n, free_bytes=0) for n in range(2)
    )
    models = (cold("a", needed_bytes=9, reload_s=12.0), cold("b", needed_bytes=0))
    recorder.ticked(MetricsTick(interval_s=10, models=models, devices=devices))
    assert recorder.needs == {"a": Need(9, 12.0)}
    assert (recorder.devices, recorder.device_bytes) == (2, 25)
