"""How busy the engines of each model are, look by look. Pure but for its own memory.

What follows from it is decided in `modelium.core.replicas`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from modelium.common.records import InstanceState, ModelRecord, ModelState
from modelium.core.policy import Policy
from modelium.core.replicas import Crowd, Look, looked
from modelium.orchestrator.demand import Demand

LOOK_S: Final = 0.5
"""Gateways say something once a second each."""


@dataclass(slots=True)
class Crowds:
    """By model; nothing is kept of those that do not serve, or while no model may have copies."""

    _crowds: dict[str, Crowd] = field(default_factory=dict)
    _at_s: float = -LOOK_S

    def look(
        self, records: Iterable[ModelRecord], demand: Demand, policy: Policy, now_s: float
    ) -> None:
        """Take in what gateways say now, unless that was done just before."""
        if now_s - self._at_s < LOOK_S:
            return
        self._at_s = now_s
        serving = [r for r in records if r.state is ModelState.LOADED and _matters(r, policy)]
        self._crowds = {
            record.model: looked(
                self._crowds.get(record.model), _look(record, demand, now_s), policy, now_s
            )
            for record in serving
        }

    def crowded_for_s(self, model: str) -> float:
        """0: it is not."""
        crowd = self._crowds.get(model)
        return crowd.crowded_for_s() if crowd else 0.0

    def calm_for_s(self, model: str) -> float:
        """0: it is not."""
        crowd = self._crowds.get(model)
        return crowd.calm_for_s() if crowd else 0.0


def max_engines(record: ModelRecord, policy: Policy) -> int:
    """Of the model: what is written beside its files may ask for fewer than the policy allows."""
    overrides = record.descriptor.overrides if record.descriptor else None
    wanted = overrides.replicas if overrides else None
    return min(wanted or policy.max_engines, policy.max_engines)


def _matters(record: ModelRecord, policy: Policy) -> bool:
    return max_engines(record, policy) > 1 or bool(record.copies)


def _look(record: ModelRecord, demand: Demand, now_s: float) -> Look:
    wanted = demand.of(record.model, now_s)
    copies = sum(copy.state is InstanceState.LOADED for copy in record.copies)
    return Look(
        engines=1 + copies,
        in_flight=wanted.in_flight,
        waiting=wanted.waiting,
        ended=demand.ended(record.model),
    )
