"""Engines that are gone without a word: their agent is silent, or no longer has them.

Each is reported once as failed, so that its model is placed elsewhere; an agent that comes back
with the engine still running announces it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from modelium.common.events import RuntimeFailed
from modelium.common.records import FailureKind
from modelium.orchestrator.engines import Engine
from modelium.orchestrator.placement_state import PlacementState

MISSING_AFTER_S: Final = 30.0
"""How long an agent that is alive may leave an engine out of its heartbeats."""


@dataclass(slots=True)
class LostEngines:
    """Remembers what was reported, and since when engines are missing."""

    reported: set[str] = field(default_factory=set)
    missing_since_s: dict[str, float] = field(default_factory=dict)

    def find(
        self, engines: Mapping[str, Engine], state: PlacementState, now_s: float
    ) -> list[RuntimeFailed]:
        """The engines of models that count as lost from now on."""
        mine = {m: e for m, e in engines.items() if m not in state.sent}
        instances = state.agents.instances(now_s)
        here = {engine.instance_id for engine in mine.values()}
        self.reported &= here - instances.keys()
        self.missing_since_s = {
            key: self.missing_since_s.get(key, now_s) for key in here - instances.keys()
        }
        failed = []
        for model, engine in mine.items():
            reason = self._reason(state, engine, now_s)
            if reason and engine.instance_id not in self.reported:
                self.reported.add(engine.instance_id)
                failed.append(_failed(model, engine, reason))
        return failed

    def excuse(self) -> None:
        """We could not hear for a while: start to count again."""
        self.missing_since_s.clear()

    def _reason(self, state: PlacementState, engine: Engine, now_s: float) -> str:
        if state.agents.is_silent(engine.agent_id, now_s):
            return f"its agent, {engine.agent_id}, is silent"
        since_s = self.missing_since_s.get(engine.instance_id)
        if since_s is not None and now_s - since_s >= MISSING_AFTER_S:
            return f"its agent, {engine.agent_id}, no longer has it"
        return ""


def _failed(model: str, engine: Engine, reason: str) -> RuntimeFailed:
    return RuntimeFailed(
        model=model,
        instance_id=engine.instance_id,
        agent_id=engine.agent_id,
        device_ids=engine.device_ids,
        generation=engine.generation,
        kind=FailureKind.LOST,
        reason=reason,
    )
