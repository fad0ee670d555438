"""The agent's own numbers for Prometheus; those of its engines are `engine_metrics.py`'s."""

from collections import Counter as Count
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from modelium.common.records import Device, Instance, InstanceState

LOADS: Final = Histogram(
    "modelium_model_load_duration_seconds",
    "From the launch of an engine, or its wake (source sleep), until its canary has answered.",
    ["model", "source"],
    buckets=(1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0),
)
FAILURES: Final = Counter(
    "modelium_engine_failures_total",
    "Engines that did not start, or ended without being asked to.",
    ["model", "kind"],
)
_LABELS: Final = ("device", "agent", "kind")


class AgentCollector(Collector):
    """What the agent has, as of its last heartbeat."""

    def __init__(
        self,
        agent_id: str,
        devices: Callable[[], Sequence[Device]],
        instances: Callable[[], Sequence[Instance]],
    ) -> None:
        self._agent_id = agent_id
        self._devices = devices
        self._instances = instances

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not ask for the numbers."""
        return []

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        total = _gauge("modelium_device_memory_total_bytes", "What engines may use of it.")
        used = _gauge("modelium_device_memory_used_bytes", "What is used of it, by whoever.")
        busy = _gauge("modelium_device_utilization_ratio", "How busy it is.")
        for device in self._devices():
            labels = [device.device_id, self._agent_id, device.kind]
            total.add_metric(labels, device.total_bytes)
            if device.used_bytes is not None:
                used.add_metric(labels, device.used_bytes)
            if device.utilization is not None:
                busy.add_metric(labels, device.utilization)
        yield from (total, used, busy, self._engines())

    def _engines(self) -> Metric:
        engines = GaugeMetricFamily(
            "modelium_engines", "Engines by their state.", labels=["agent", "state"]
        )
        counts = Count(instance.state for instance in self._instances())
        for state in InstanceState:
            engines.add_metric([self._agent_id, state], counts[state])
        return engines


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=_LABELS)
