"""The gateway's numbers for Prometheus, read from `stats.py` when somebody asks for /metrics."""

from collections.abc import Callable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from modelium.common.clock import Clock
from modelium.common.figures import GatewayModelStats
from modelium.gateway.engines.dispatch import Dispatch
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.reporting.stats import BUCKETS_S, Ending, Histogram, Stats
from modelium.gateway.waiting.room import WaitingRoom

_PREFIX = "modelium_gateway_"


class GatewayCollector(Collector):
    """Makes metrics of counters, so that a request only adds to plain numbers."""

    def __init__(
        self,
        stats: Stats,
        table: RouteTable,
        room: WaitingRoom,
        dispatch: Dispatch,
        clock: Clock,
        connections: Callable[[], int],
        limits_are_local: Callable[[], bool],
        queue_limit: int,
    ) -> None:
        self._queue_limit = queue_limit
        self._dispatch = dispatch
        self._connections = connections
        self._limits_are_local = limits_are_local
        self._stats = stats
        self._table = table
        self._room = room
        self._clock = clock

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not ask for the numbers."""
        return []

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        yield from self._counts()
        yield from self._instances()
        yield self._histogram(
            "request_duration_seconds", "From arrival to end, waiting included.", "duration"
        )
        yield self._histogram(
            "time_to_first_token_seconds", "From arrival to the engine's first byte.", "first_byte"
        )

    def _counts(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            f"{_PREFIX}requests", "Requests that have ended.", labels=["model", "outcome"]
        )
        in_flight = GaugeMetricFamily(
            f"{_PREFIX}inflight_requests", "Requests at an engine now.", labels=["model"]
        )
        depth = GaugeMetricFamily(
            f"{_PREFIX}queue_depth", "Requests that wait for their model.", labels=["model"]
        )
        oldest = GaugeMetricFamily(
            f"{_PREFIX}oldest_wait_seconds", "How long the oldest of them waits.", labels=["model"]
        )
        now_s = self._clock.monotonic()
        for figures in self._stats.snapshot(self._table, self._room, now_s):
            self._add_outcomes(requests, figures)
            in_flight.add_metric([figures.model], figures.in_flight)
            depth.add_metric([figures.model], figures.waiting)
            oldest.add_metric([figures.model], figures.oldest_wait_s)
        yield from (requests, in_flight, depth, oldest, self._refusals(), self._tokens())
        yield GaugeMetricFamily(
            f"{_PREFIX}queue_limit",
            "Requests that may wait for one model; more are refused.",
            value=self._queue_limit,
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}engine_connections",
            "Open connections to engines, kept ones included.",
            value=self._connections(),
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}limits_local",
            "1 while limits are kept by this gateway alone, because Redis is away.",
            value=self._limits_are_local(),
        )

    def _add_outcomes(self, requests: CounterMetricFamily, figures: GatewayModelStats) -> None:
        counts = self._stats.models.get(figures.model)
        left = counts.left if counts else 0
        ok = figures.requests - figures.failures - left
        for outcome, count in (
            (Ending.OK, ok),
            (Ending.FAILED, figures.failures),
            (Ending.LEFT, left),
        ):
            requests.add_metric([figures.model, outcome], count)

    def _tokens(self) -> Metric:
        tokens = CounterMetricFamily(
            "modelium_tokens", "Tokens of requests that have ended.", labels=["model", "direction"]
        )
        for model, counts in self._stats.models.items():
            tokens.add_metric([model, "input"], counts.prompt_tokens)
            tokens.add_metric([model, "output"], counts.completion_tokens)
        return tokens

    def _refusals(self) -> Metric:
        refusals = CounterMetricFamily(
            f"{_PREFIX}refused_requests",
            "Requests that were answered with an error before they came to a model.",
            labels=["code"],
        )
        for code, count in self._stats.refusals.items():
            refusals.add_metric([code], count)
        return refusals

    def _instances(self) -> Iterator[Metric]:
        """An instance is named by its place in the record: few values, for ever the same."""
        labels = ["model", "engine"]
        in_flight = GaugeMetricFamily(
            f"{_PREFIX}instance_inflight_requests", "Requests at an instance now.", labels=labels
        )
        breaker = GaugeMetricFamily(
            f"{_PREFIX}instance_breaker_state",
            "Whether an instance gets requests: 0 yes, 1 one to try it, 2 no.",
            labels=labels,
        )
        for model in self._table.versions():
            for place, (count, state) in enumerate(self._dispatch.instances(model)):
                in_flight.add_metric([model, str(place)], count)
                breaker.add_metric([model, str(place)], state)
        yield from (in_flight, breaker)

    def _histogram(self, name: str, help_text: str, which: str) -> Metric:
        family = HistogramMetricFamily(_PREFIX + name, help_text, labels=["model"])
        for model, counts in self._stats.models.items():
            histogram: Histogram = getattr(counts, which)
            family.add_metric([model], _cumulative(histogram), histogram.total_s)
        return family


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in BUCKETS_S), "+Inf"]
    sums = [sum(histogram.counts[: i + 1]) for i in range(len(bounds))]
    return list(zip(bounds, map(float, sums), strict=True))
