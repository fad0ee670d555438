"""What the orchestrator knows of all models, devices and agents, for Prometheus.

Read when somebody asks for /metrics. Only the one that decides tells of them, so that nothing is
counted twice where two run.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from modelium.core.actions import Action, Sleep, Unload
from modelium.core.bound import wait_bounds_s
from modelium.core.policy import Policy
from modelium.core.snapshot import Snapshot
from modelium.orchestrator.engines import Found
from modelium.orchestrator.placement_state import PlacementState

EVICTIONS: Final = Counter(
    "modelium_model_evictions_total",
    "Engines that were told to leave their memory.",
    ["model", "reason", "tier"],
)


def count_eviction(action: Action) -> None:
    """Count a command that was sent, if it is one."""
    match action:
        case Unload():
            EVICTIONS.labels(action.model, action.cause, "unloaded").inc()
        case Sleep():
            EVICTIONS.labels(action.model, action.cause, "sleeping").inc()


@dataclass(frozen=True, slots=True)
class Fleet:
    """All that is known at one moment."""

    state: PlacementState
    found: Found
    seen: Snapshot
    policy: Policy
    now_s: float


class FleetCollector(Collector):
    """`look` answers None while this orchestrator does not decide."""

    def __init__(self, look: Callable[[], Fleet | None]) -> None:
        self._look = look

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not ask for the numbers."""
        return []

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        fleet = self._look()
        if fleet is not None:
            yield from _of_models(fleet)
            yield from _of_agents(fleet)
            yield _reserved(fleet)


def _of_models(fleet: Fleet) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "modelium_model_state", "1 for the state that the model is in.", labels=["model", "state"]
    )
    failures = _gauge("modelium_model_failures", "Loads that failed, in a row.", "model")
    for record in fleet.state.records.values():
        state.add_metric([record.model, record.state], 1)
        failures.add_metric([record.model], record.failures)
    waited = _gauge(
        "modelium_model_wait_seconds", "How long somebody has waited for it to be loaded.", "model"
    )
    bound = _gauge(
        "modelium_model_wait_bound_seconds", "Who has waited for longer is refused.", "model"
    )
    bounds_s = wait_bounds_s(fleet.seen, fleet.policy)
    for model in fleet.seen.models:
        waited.add_metric([model.model], model.wanted_for_s or 0.0)
        bound.add_metric([model.model], bounds_s[model.model])
    yield from (state, failures, waited, bound)


def _of_agents(fleet: Fleet) -> Iterator[Metric]:
    agents = fleet.state.agents
    yield GaugeMetricFamily(
        "modelium_agents", "Agents that are heard.", value=len(agents.alive(fleet.now_s))
    )
    silent = _gauge(
        "modelium_agent_silent_seconds", "Since it was last heard; gone after an hour.", "agent"
    )
    for agent_id, silent_s in agents.silent_s(fleet.now_s).items():
        silent.add_metric([agent_id], silent_s)
    yield silent


def _reserved(fleet: Fleet) -> Metric:
    reserved = GaugeMetricFamily(
        "modelium_device_memory_reserved_bytes",
        "What engines were promised of it, by the ledger.",
        labels=["device", "agent"],
    )
    for agent_id, device in fleet.state.agents.devices(fleet.now_s):
        held = fleet.found.holdings.get(device.device_id, ())
        total = sum(holding.charged_bytes for holding in held)
        reserved.add_metric([device.device_id, agent_id], total)
    return reserved


def _gauge(name: str, text: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=[label])
