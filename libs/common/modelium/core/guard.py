"""Which advice may be followed at all: the rules that nobody's advice can break.

Each decision comes back as it is, or with the name of the rule that drops it in `dropped_by`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import DeviceKind, ModelState
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from modelium.core.victims import STOPPABLE, protected_s


@dataclass(frozen=True, slots=True)
class _Case:
    model: ModelView
    snapshot: Snapshot
    policy: Policy
    age_s: float


_Rule = tuple[str, Callable[[_Case], bool]]
"""A rule's name, and whether the case breaks it."""

EVICT_RULES: Final[tuple[_Rule, ...]] = (
    ("pinned", lambda case: case.model.pinned),
    ("not_loaded", lambda case: case.model.state not in STOPPABLE),
    ("in_use", lambda case: case.model.in_flight > 0),
    ("wanted", lambda case: case.model.waiting > 0 or case.model.wanted_for_s is not None),
    ("used_since", lambda case: case.model.unused_s < case.age_s),
    ("residency", lambda case: protected_s(case.model, case.policy) > 0),
)
LOAD_RULES: Final[tuple[_Rule, ...]] = (
    ("single_flight", lambda case: case.model.live),
    ("not_servable", lambda case: bool(case.model.blocked)),
    ("backing_off", lambda case: case.model.retry_in_s > 0),
    ("nobody_came", lambda case: case.model.nobody_came and not case.model.is_wanted),
    ("ledger", lambda case: not _has_room(case)),
)
SLEEP_RULES: Final[tuple[_Rule, ...]] = (
    ("no_sleep_tier", lambda case: not case.model.sleeps),
    ("asleep", lambda case: case.model.state is ModelState.SLEEPING),
    *EVICT_RULES,
)
WAKE_RULES: Final[tuple[_Rule, ...]] = (
    ("not_asleep", lambda case: case.model.state is not ModelState.SLEEPING),
    ("going", lambda case: case.model.removed or case.model.stale_files),
    ("ledger", lambda case: not _has_room_where_it_sleeps(case)),
)
RULES: Final[dict[DecidedAction, tuple[_Rule, ...]]] = {
    DecidedAction.EVICT: EVICT_RULES,
    DecidedAction.LOAD: LOAD_RULES,
    DecidedAction.SLEEP: SLEEP_RULES,
    DecidedAction.WAKE: WAKE_RULES,
}


def guard(
    decisions: Iterable[Decision], snapshot: Snapshot, policy: Policy, *, age_s: float = 0.0
) -> tuple[Decision, ...]:
    """The same decisions, those that break a rule marked with it.

    `age_s` is how long ago the advice was given: a model used since then is not evicted by it.
    """
    seen: set[str] = set()
    guarded = []
    for decision in decisions:
        dropped_by = decision.dropped_by or _broken(decision, snapshot, policy, age_s, seen)
        seen.add(decision.model)
        dropped = decision.model_copy(update={"dropped_by": dropped_by}) if dropped_by else decision
        guarded.append(dropped)
    return tuple(guarded)


def _broken(
    decision: Decision, snapshot: Snapshot, policy: Policy, age_s: float, seen: set[str]
) -> str | None:
    model = snapshot.model(decision.model)
    if model is None:
        return "unknown_model"
    if model.model in seen:
        return "contradiction"
    case = _Case(model, snapshot, policy, age_s)
    return next((name for name, breaks in RULES.get(decision.action, ()) if breaks(case)), None)


def _has_room_where_it_sleeps(case: _Case) -> bool:
    model, snapshot = case.model, case.snapshot
    mine = [device for device in snapshot.devices if device.device_id in model.device_ids]
    return all(model.more_bytes(device) <= device.free_bytes for device in mine)


def _has_room(case: _Case) -> bool:
    model, devices = case.model, case.snapshot.devices
    if any(0 < model.needed.get(device.kind, 0) <= device.free_bytes for device in devices):
        return True
    return any(_have_room(devices, *part) for part in model.spans.items())


def _have_room(devices: Iterable[DeviceView], count: int, each: int) -> bool:
    """Whether an agent has as many GPUs with so much of each free."""
    roomy = [d.agent_id for d in devices if d.kind is DeviceKind.CUDA and each <= d.free_bytes]
    return any(roomy.count(agent_id) >= count for agent_id in roomy)
