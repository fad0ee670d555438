"""What `/metrics` shows of the host."""

from collections.abc import Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Load(Protocol):
    """Knows how many requests are with the model now."""

    def running(self) -> int:
        """Those that it runs."""

    def waiting(self) -> int:
        """Those that wait for a run."""


class Metrics:
    """The host's figures; every one has the label `model`."""

    def __init__(self, model: str, load: Load) -> None:
        self._registry = CollectorRegistry()
        self._model = model
        self._requests = Counter(
            "modelium_host_requests",
            "Requests answered.",
            ["model", "route", "code"],
            registry=self._registry,
        )
        running = "Requests that the model runs."
        self._gauge("modelium_host_requests_running", running).set_function(load.running)
        waiting = "Requests that wait for a run."
        self._gauge("modelium_host_requests_waiting", waiting).set_function(load.waiting)
        self._latency = self._histogram(
            "modelium_host_request_seconds", "From a request's head to its answer.", _SECONDS
        )
        self._run_seconds = self._histogram(
            "modelium_host_run_seconds", "Time that the model took for one run.", _SECONDS
        )
        self._batch_rows = self._histogram("modelium_host_batch_rows", "Rows of one run.", _COUNTS)
        self._batch_requests = self._histogram(
            "modelium_host_batch_requests", "Requests of one run.", _COUNTS
        )

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, ["model"], registry=self._registry).labels(self._model)

    def _histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        kind = Histogram(name, text, ["model"], registry=self._registry, buckets=buckets)
        return kind.labels(self._model)

    def ran(self, requests: int, rows: int, seconds: float) -> None:
        """Note a run."""
        self._batch_requests.observe(requests)
        self._batch_rows.observe(rows)
        self._run_seconds.observe(seconds)

    def answered(self, route: str, code: int, seconds: float) -> None:
        """Note an answer."""
        self._requests.labels(self._model, route, str(code)).inc()
        self._latency.observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
