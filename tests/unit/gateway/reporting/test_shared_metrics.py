"""The sum of the numbers of all workers."""

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modelium.common.testing import FakeClock
from modelium.gateway.reporting.shared_metrics import SharedMetrics, retire


class Numbers:
    """One worker's."""

    def __init__(self, folder: Path, number: int, clock: FakeClock) -> None:
        registry = CollectorRegistry()
        self.requests = Counter("requests", "Requests.", ["model"], registry=registry)
        self.waiting = Gauge("waiting", "Waiting.", registry=registry)
        self.start = Gauge("process_start_time_seconds", "Start.", registry=registry)
        self.took = Histogram("took_seconds", "Took.", buckets=(1.0,), registry=registry)
        self.shared = SharedMetrics(folder, number, registry, clock)

    def lines(self) -> set[str]:
        return set(self.shared.exposition().decode().splitlines())


def test_counters_gauges_and_histograms_of_all_are_added(tmp_path: Path, clock: FakeClock) -> None:
    one, two = Numbers(tmp_path, 1, clock), Numbers(tmp_path, 2, clock)
    one.requests.labels("qwen").inc(3)
    two.requests.labels("qwen").inc(4)
    two.requests.labels('a"b').inc()
    one.waiting.set(1)
    two.waiting.set(2)
    one.took.observe(0.5)
    two.took.observe(5)
    for which, number in ((one, 20), (two, 10)):
        which.start.set(number)
        which.shared.write()
    expected = {
        'requests_total{model="qwen"} 7.0',
        'requests_total{model="a\\"b"} 1.0',
        "waiting 3.0",
        'took_seconds_bucket{le="1.0"} 1.0',
        'took_seconds_bucket{le="+Inf"} 2.0',
        "took_seconds_sum 5.5",
        "process_start_time_seconds 10.0",
    }
    assert expected <= one.lines()
    assert one.lines() == two.lines()


def test_ones_own_numbers_are_those_of_now(tmp_path: Path, clock: FakeClock) -> None:
    one, two = Numbers(tmp_path, 1, clock), Numbers(tmp_path, 2, clock)
    one.shared.write()
    one.waiting.set(5)
    assert "waiting 5.0" in one.lines()
    assert "waiting 0.0" in two.lines()


def test_what_a_dead_worker_counted_stays_and_its_gauges_go(
    tmp_path: Path, clock: FakeClock
) -> None:
    one, two = Numbers(tmp_path, 1, clock), Numbers(tmp_path, 2, clock)
    one.requests.labels("qwen").inc(3)
    one.waiting.set(1)
    one.shared.write()
    retire(tmp_path, 1)
    assert {'requests_total{model="qwen"} 3.0', "waiting 0.0"} <= two.lines()


def test_a_worker_that_died_before_it_wrote_is_no_error(tmp_path: Path, clock: FakeClock) -> None:
    retire(tmp_path, 1)
    assert "waiting 0.0" in Numbers(tmp_path, 2, clock).lines()
