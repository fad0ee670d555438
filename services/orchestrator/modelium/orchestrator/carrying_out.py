"""Carries out what was decided: commands to agents, and the reasons why models wait."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final

import structlog

from modelium.common.bus import Bus
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import DecisionMade, Message
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.origins import BY_ORCHESTRATOR
from modelium.common.records import Instance, ModelRecord
from modelium.common.tracing import NO_TRACING, Span, Tracing
from modelium.core.actions import Action, Command, Load, Queue, Sleep, Unload, Wake
from modelium.core.bound import wait_bounds_s
from modelium.core.digest import digest_of_snapshot
from modelium.core.policy import MemoryPolicy, Policy
from modelium.core.snapshot import Snapshot
from modelium.orchestrator import commands
from modelium.orchestrator.engines import Engine, copies_of, engine_of
from modelium.orchestrator.fleet_metrics import count_eviction
from modelium.orchestrator.in_flight import PlacementCommand, Sent
from modelium.orchestrator.placement_state import PlacementState

ORIGIN: Final = BY_ORCHESTRATOR

log = structlog.get_logger()


async def publish(bus: Bus, message: Message) -> bool:
    """Whether it is stored; if NATS was away for too long, what it was for is decided again."""
    try:
        await bus.publish(message)
    except DependencyUnavailable as unavailable:
        log.warning("message.not_stored", subject=message.subject, reason=str(unavailable))
        return False
    return True


class CarryingOut:
    """Belongs to the owner of the state; remembers the reasons it has told."""

    def __init__(
        self,
        *,
        bus: Bus,
        state: PlacementState,
        memory: MemoryPolicy,
        policy: Policy,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._tracing = tracing
        self._bus = bus
        self._state = state
        self._memory = memory
        self.policy = policy
        self._told: dict[str, str] = {}

    async def actions(self, actions: Sequence[Action], seen: Snapshot, now_s: float) -> None:
        """Publish the command for each, then what was decided and why."""
        waiting: dict[str, str] = {}
        bounds_s: dict[str, float] = {}
        decisions: list[Decision] = []
        traces = self._state.demand.traces.of_actions(actions)
        for action in actions:
            if isinstance(action, Queue):
                waiting[action.model] = action.cause
                if self._told.get(action.model) != action.cause:
                    bounds_s = bounds_s or wait_bounds_s(seen, self.policy)
                    with self._span(action, DecidedAction.QUEUE, traces):
                        decisions.append(self._queued(action, bounds_s[action.model], now_s))
            else:
                with self._span(action, _KIND[type(action)], traces):
                    sent = await self._command(action, seen, now_s)
                if sent:
                    decisions.append(_decision(action, _KIND[type(action)]))
        self._told = waiting
        if decisions:
            await self._tell(decisions, seen)

    def _span(
        self, action: Action, kind: DecidedAction, traces: Mapping[str, str]
    ) -> AbstractContextManager[Span]:
        about = {"modelium.model": action.model, "modelium.reason": action.reason}
        parent = traces.get(action.model)
        return self._tracing.span(f"decide {kind}", attributes=about, parent=parent)

    async def again(self, now_s: float) -> None:
        """Send what has been unanswered for long once more."""
        state = self._state
        for commands_sent in (state.sent, state.copies_sent, state.stopping):
            for key, sent in list(commands_sent.items()):
                if sent.is_due(now_s):
                    log.warning("command.unanswered", **_fields(sent.command))
                    repeated = commands_sent[key] = sent.again(now_s)
                    await publish(self._bus, repeated.command)

    async def stop_orphan(self, orphan: Instance, now_s: float) -> None:
        """Have an engine stopped that belongs to no model."""
        command = commands.stop_orphan(orphan, self.policy.drain_deadline_s)
        log.warning("engine.belongs_to_no_model", **_fields(command))
        if await publish(self._bus, command):
            self._state.stopping[orphan.instance_id] = Sent(command, now_s)

    async def _command(self, action: Command, seen: Snapshot, now_s: float) -> bool:
        command = self._made(action, seen, now_s)
        if command is None or not await publish(self._bus, command):
            return False
        self._state.was_sent(Sent(command, now_s))
        if isinstance(action, Load) and not action.is_copy:
            ahead = action.is_ahead
            self._state.loaded_ahead.note_load(action.model, now_s, is_ahead=ahead)
        count_eviction(action)
        log.info("command.sent", reason=action.reason, **_fields(command))
        return True

    def _made(self, action: Command, seen: Snapshot, now_s: float) -> PlacementCommand | None:
        """None: a load on its way cannot be cancelled before its agent has begun it."""
        record = self._state.records[action.model]
        if isinstance(action, Load):
            kinds = {device.device_id: device.kind for device in seen.devices}
            generation = self._state.next_generation(action.model)
            return commands.load_model(action, record, generation, kinds, self._memory)
        engine, sent = self._engine(record, action, now_s)
        if engine is None or action.model in sent:
            return None
        match action:
            case Sleep():
                return commands.sleep_model(action, engine, record, self.policy.drain_deadline_s)
            case Wake():
                return commands.wake_model(engine, record)
        return commands.unload_model(engine, record, action.reason, self.policy.drain_deadline_s)

    def _engine(
        self, record: ModelRecord, action: Command, now_s: float
    ) -> tuple[Engine | None, Mapping[str, Sent]]:
        """Which engine it is about, and the commands that are on their way to such."""
        state, instances = self._state, self._state.agents.instances(now_s)
        own = [instance for instance in instances.values() if instance.model == record.model]
        first = engine_of(record, state.sent.get(record.model), instances, own)
        if not isinstance(action, Unload) or not action.copy_id:
            return first, state.sent
        beside = copies_of(record, first, state.copies_sent.get(record.model), own)
        copy = next((e for e in beside if e.instance_id == action.copy_id), None)
        return copy, state.copies_sent

    def _queued(self, action: Queue, bound_s: float, now_s: float) -> Decision:
        if action.never:
            self._state.refused(action.model, now_s)
        return _decision(action, DecidedAction.QUEUE).model_copy(update={"wait_bound_s": bound_s})

    async def _tell(self, decisions: list[Decision], seen: Snapshot) -> None:
        message = DecisionMade(
            origin=ORIGIN,
            source=DecisionSource.RULES,
            inputs_digest=digest_of_snapshot(seen),
            decisions=tuple(decisions),
        )
        await publish(self._bus, message)


_KIND: Final = {
    Load: DecidedAction.LOAD,
    Unload: DecidedAction.EVICT,
    Sleep: DecidedAction.SLEEP,
    Wake: DecidedAction.WAKE,
}


def _decision(action: Action, kind: DecidedAction) -> Decision:
    decision = Decision(model=action.model, action=kind, reason=action.reason)
    match action:
        case Queue(never=never, device_id=device_id, victims=victims):
            where = (device_id,) if device_id else ()
            return decision.model_copy(
                update={"refused": never, "device_ids": where, "victims": victims}
            )
        case Load(device_ids=device_ids):
            return decision.model_copy(update={"device_ids": device_ids})
    return decision


def _fields(command: PlacementCommand) -> dict[str, str | int]:
    return {
        "command": type(command).__name__,
        "model": command.model,
        "generation": command.generation,
        "agent_id": command.agent_id,
    }
