"""What would happen if a model were asked for now.

Nothing is chosen here: one more waiter is added to the snapshot, `decide` decides as it always
does, and what it says about that model is put into words. So a plan cannot differ from the deed.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from modelium.common.figures import Decision
from modelium.common.plans import Plan, PlanOutcome, Victim
from modelium.common.records import ModelState
from modelium.core import reasons
from modelium.core.actions import Action, Load, Queue, Sleep, Unload, Wake
from modelium.core.decide import decide
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView, Snapshot


def with_waiter(snapshot: Snapshot, name: str) -> Snapshot:
    """The snapshot with one more request that waits for the model, since now."""
    return replace(
        snapshot,
        models=tuple(_asked(model) if model.model == name else model for model in snapshot.models),
    )


def _asked(model: ModelView) -> ModelView:
    return replace(model, waiting=model.waiting + 1, wanted_for_s=model.wanted_for_s or 0.0)


def plan(
    snapshot: Snapshot,
    name: str,
    policy: Policy,
    *,
    advice: Sequence[Decision] = (),
    advice_age_s: float = 0.0,
) -> Plan | None:
    """What one more request for the model would lead to; None: there is no such model."""
    seen = with_waiter(snapshot, name)
    model = seen.model(name)
    if model is None:
        return None
    actions = decide(seen, advice, policy, advice_age_s=advice_age_s)
    action = next((a for a in actions if a.model == name and not _is_about_copy(a)), None)
    return _of_action(seen, model, action) if action else _of_state(seen, model)


def _is_about_copy(action: Action) -> bool:
    """Whether a model is served as before, by its other engines."""
    return (isinstance(action, Load) and action.is_copy) or bool(getattr(action, "copy_id", ""))


def _of_action(seen: Snapshot, model: ModelView, action: Action) -> Plan:
    match action:
        case Load(device_ids=device_ids, reserve_bytes=each):
            device = _device(seen, device_ids[0])
            room = reasons.room(each, device, device.free_bytes) if device else ""
            return _plan(model, PlanOutcome.LOAD, room, device, device_ids)
        case Wake():
            device = _device(seen, model.device_ids[0])
            more = model.more_bytes(device) if device else 0
            room = reasons.room(more, device, device.free_bytes) if device else ""
            return _plan(model, PlanOutcome.WAKE, room, device, model.device_ids)
        case Sleep(reason=reason):
            return _plan(model, PlanOutcome.WAIT, f"its engine is put to sleep first: {reason}")
        case Unload(reason=reason):
            return _plan(model, PlanOutcome.WAIT, f"its engine is stopped first: {reason}")
        case Queue(reason=reason, device_id=device_id):
            device = _device(seen, device_id)
            ids = (device.device_id,) if device else ()
            victims = tuple(_victim(seen, victim) for victim in action.victims)
            return _plan(model, _queued(seen, model, action), reason, device, ids, victims)


def _queued(seen: Snapshot, model: ModelView, queue: Queue) -> PlanOutcome:
    if queue.never or model.removed or model.state is ModelState.REJECTED:
        return PlanOutcome.REFUSE
    states = {victim.state for name in queue.victims if (victim := seen.engine(name))}
    return PlanOutcome.DISPLACE if states - {ModelState.UNLOADING} else PlanOutcome.WAIT


_OF_STATE: Final = {
    ModelState.LOADED: (PlanOutcome.ROUTE, "it is loaded"),
    ModelState.LOADING: (PlanOutcome.JOIN, "its load has begun"),
    ModelState.UNLOADING: (PlanOutcome.WAIT, "its engine is being stopped, and then loaded again"),
    ModelState.SLEEPING: (PlanOutcome.WAIT, "its engine sleeps"),
}


def _of_state(seen: Snapshot, model: ModelView) -> Plan:
    """Where nothing is to be done for it."""
    retry = f"its last load failed; the next try is in {model.retry_in_s:.0f} s"
    outcome, reason = _OF_STATE.get(model.state, (PlanOutcome.WAIT, retry))
    device = _device(seen, model.device_ids[0]) if model.device_ids else None
    planned = _plan(model, outcome, reason, device, model.device_ids)
    return _of_several(seen, planned) if outcome is PlanOutcome.ROUTE else planned


def _of_several(seen: Snapshot, planned: Plan) -> Plan:
    """With the devices of all engines that serve the model, where there are more than one."""
    serving = [c for c in seen.copies if c.model == planned.model and c.state is ModelState.LOADED]
    if not serving:
        return planned
    ids = (*planned.device_ids, *(device_id for copy in serving for device_id in copy.device_ids))
    named = [device.name for device_id in ids if (device := _device(seen, device_id))]
    changes = {
        "reason": f"it is loaded, by {1 + len(serving)} engines",
        "device_ids": ids,
        "device_name": " and ".join(filter(None, (", ".join(named[:-1]), *named[-1:]))),
    }
    return planned.model_copy(update=changes)


def _plan(
    model: ModelView,
    outcome: PlanOutcome,
    reason: str,
    device: DeviceView | None = None,
    device_ids: tuple[str, ...] = (),
    victims: tuple[Victim, ...] = (),
) -> Plan:
    return Plan(
        model=model.model,
        state=model.state,
        outcome=outcome,
        reason=reason,
        device_ids=device_ids,
        device_name=device.name if device else "",
        needed_bytes=_needed(model, device) if device else 0,
        free_bytes=max(0, device.free_bytes) if device else 0,
        victims=victims,
        eta_s=_eta_s(model, outcome),
    )


def _eta_s(model: ModelView, outcome: PlanOutcome) -> float | None:
    if outcome is PlanOutcome.ROUTE:
        return 0.0
    if model.asleep is not None and outcome in (PlanOutcome.WAKE, PlanOutcome.DISPLACE):
        return model.asleep.wake_s
    loads = outcome in (PlanOutcome.LOAD, PlanOutcome.JOIN, PlanOutcome.DISPLACE)
    return model.load_s if loads else None


def _victim(seen: Snapshot, name: str) -> Victim:
    victim = seen.engine(name)
    assert victim is not None  # `decide` names engines of its snapshot only
    return Victim(
        model=name,
        held_bytes=victim.held_bytes,
        in_flight=victim.in_flight,
        reason=_why(victim),
    )


def _why(victim: ModelView) -> str:
    if victim.state is ModelState.UNLOADING:
        return "is being stopped already"
    if victim.in_flight:
        return f"has {victim.in_flight} in flight, which end first"
    if victim.copy_id:
        return "is not the only engine of its model"
    return f"has not been used for {victim.unused_s:.0f} s"


def _device(seen: Snapshot, device_id: str) -> DeviceView | None:
    return next((device for device in seen.devices if device.device_id == device_id), None)


def _needed(model: ModelView, device: DeviceView) -> int:
    return model.needed.get(device.kind, 0)
