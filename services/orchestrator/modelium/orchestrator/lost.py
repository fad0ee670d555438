"""Engines that are gone without a word: their agent is silent, or no longer has them.

Each is reported once as failed, so that its model is placed elsewhere; an agent that comes back
with the engine still running announces it again.
"""

from dataclasses import dataclass, field
from typing import Final

from modelium.common.events import RuntimeFailed
from modelium.common.records import FailureKind
from modelium.orchestrator.engines import Engine, Found
from modelium.orchestrator.placement_state import PlacementState

MISSING_AFTER_S: Final = 30.0
"""How long an agent that is alive may leave an engine out of its heartbeats."""


@dataclass(slots=True)
class LostEngines:
    """Remembers what was reported, and since when engines are missing."""

    reported: set[str] = field(default_factory=set)
    missing_since_s: dict[str, float] = field(default_factory=dict)

    def find(self, found: Found, state: PlacementState, now_s: float) -> list[RuntimeFailed]:
        """The engines of models that count as lost from now on."""
        mine = _not_told(found, state)
        instances = state.agents.instances(now_s)
        here = {engine.instance_id for _, engine in mine}
        self.reported &= here - instances.keys()
        self.missing_since_s = {
            key: self.missing_since_s.get(key, now_s) for key in here - instances.keys()
        }
        failed = []
        for model, engine in mine:
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


def _not_told(found: Found, state: PlacementState) -> list[tuple[str, Engine]]:
    """All that no command is on its way to."""
    told = {sent.command.instance_id for sent in state.copies_sent.values()}
    first = [(model, engine) for model, engine in found.by_model.items() if model not in state.sent]
    beside = [(model, copy) for model, several in found.copies.items() for copy in several]
    return [(model, engine) for model, engine in first + beside if engine.instance_id not in told]


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
