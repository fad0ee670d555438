"""`decide` with one rule switched off: what each rule is for."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from modelium.common.figures import DecidedAction
from modelium.common.records import ModelState
from modelium.core import books, decide, displace, guard, ledger, spanning, tiers, victims
from modelium.core.actions import Action, Cause, Load, Sleep
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView, SleepView, Snapshot
from tests.properties.fleet_machine import (
    CrowdedFleetMachine,
    FleetMachine,
    MixedFleetMachine,
    NarrowFleetMachine,
    SleepingFleetMachine,
    SpanningFleetMachine,
)

Mutate = Callable[[pytest.MonkeyPatch], None]


def switched_off(owner: Any, name: str, value: Any) -> Mutate:
    """Our function or property `name`, replaced by `value`."""
    return lambda patch: patch.setattr(owner, name, value)


def _without_guard(action: DecidedAction, rule: str) -> Mutate:
    rest = tuple(named for named in guard.RULES[action] if named[0] != rule)
    return lambda patch: patch.setitem(guard.RULES, action, rest)


def _anybody_waits(seen: Snapshot) -> list[ModelView]:
    return [model for model in seen.models if model.wanted_for_s is not None]


def _youngest_first(seen: Snapshot) -> list[ModelView]:
    waiting = [model for model in _anybody_waits(seen) if not model.live]
    return sorted(waiting, key=lambda model: model.wanted_for_s or 0.0)


def pinned_may_go(candidate: ModelView, waiter: ModelView) -> bool:
    idle = candidate.unused_s > 0 and not candidate.waiting
    return candidate is not waiter and (waiter.wanted_for_s is not None or idle)


def load_what_runs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decide, "_waiters", _anybody_waits)
    patch.setattr(decide, "STARTABLE", frozenset(ModelState))
    patch.setattr(decide, "WAITABLE", frozenset(ModelState))


def _fits_into_anything(_: books.Books, device: DeviceView, model: ModelView) -> bool:
    return model.needed[device.kind] <= device.total_bytes


def _as_it_was(*given: Any) -> Sequence[Any]:
    return given[2]  # type: ignore[no-any-return]


class _Unclaimed(dict[str, str]):
    def __setitem__(self, *_: str) -> None:
        pass


_post_init: Final = books.Books.__post_init__


def _without_claims(self: books.Books) -> None:
    _post_init(self)
    self.claimed = _Unclaimed()


def _sleep_anyhow(_: Any, leaving: ModelView, way: SleepView, reason: str, __: Any) -> Sleep:
    return Sleep(leaving.model, way.level, reason)


_make_room: Final = spanning.make_room_on_all


def _load_anyhow(
    these: books.Books, part: ModelView, devices: Sequence[DeviceView], policy: Policy
) -> Sequence[Action]:
    """A model that does not run yet is loaded on all of them, unless one is at something else."""
    if part.live or any(map(these.busy, devices)):
        return _make_room(these, part, devices, policy)
    ids = tuple(device.device_id for device in devices)
    these.command(ids, part)
    return [Load(part.model, devices[0].agent_id, ids, part.needed[devices[0].kind], "all")]


def _of_any_agent(these: books.Books, _: str, part: ModelView, count: int) -> Any:
    large = [device for device in these.snapshot.devices if these.can_hold(device, part)]
    return spanning._Group(part, tuple(large[:count])) if len(large) >= count else None


def _nothing_more(model: ModelView, device: DeviceView) -> int:
    return 0 if model.state is ModelState.SLEEPING else model.needed.get(device.kind, 0)


def _on_one_of_them(
    these: books.Books, part: ModelView, devices: Sequence[DeviceView], policy: Policy
) -> Sequence[Action]:
    return displace.make_room(these, part, devices, policy)


# The rules that may be seen broken, what was switched off, and how.
MUTANTS: list[tuple[str, str, Mutate]] = [
    (
        "ledger or driver",
        "what is free does not matter",
        switched_off(books.Books, "fits", _fits_into_anything),
    ),
    ("ledger", "engines hold nothing", switched_off(ledger.Holding, "charged_bytes", 0)),
    ("driver", "loads take nothing more", switched_off(ledger.Holding, "still_to_take_bytes", 0)),
    ("pinned", "anybody may go", switched_off(displace, "_may_go", pinned_may_go)),
    ("pinned", "advice evicts pinned ones", _without_guard(DecidedAction.EVICT, "pinned")),
    (
        "pinned",
        "operators unload pinned ones",
        switched_off(
            decide, "_reason_to_go", lambda m: (Cause.OPERATOR, "asked" * m.unload_requested)
        ),
    ),
    ("in_use", "advice evicts what is used", _without_guard(DecidedAction.EVICT, "in_use")),
    (
        "in_use",
        "cost does not matter",
        switched_off(displace, "_worth", lambda *_: math.inf),
    ),
    ("residency", "nobody is fresh", switched_off(victims, "protected_s", lambda *_: 0.0)),
    ("residency", "advice evicts fresh ones", _without_guard(DecidedAction.EVICT, "residency")),
    ("back_off", "advice retries at once", _without_guard(DecidedAction.LOAD, "backing_off")),
    ("single_flight", "what runs is loaded", load_what_runs),
    ("one_at_a_time", "no device is busy", switched_off(books.Books, "busy", lambda *_: False)),
    (
        "one_at_a_time or single_flight",
        "commands are forgotten",
        switched_off(books.Books, "command", lambda *_: None),
    ),
    ("served", "the youngest go first", switched_off(decide, "_waiters", _youngest_first)),
    ("bound", "nobody is refused for his age", switched_off(decide, "_within_bound", _as_it_was)),
]
# The same, and the fleet in which it is missed.
SHAPED: list[tuple[str, str, Mutate, type[FleetMachine]]] = [
    (
        "served or bound",
        "nobody grows old",
        switched_off(displace, "_aged", lambda *_: False),
        NarrowFleetMachine,
    ),
    (
        "claim",
        "anybody takes what is emptied for another",
        switched_off(books.Books, "__post_init__", _without_claims),
        MixedFleetMachine,
    ),
    (
        "host_memory",
        "engines sleep wherever they are",
        switched_off(tiers, "_sleep", _sleep_anyhow),
        SleepingFleetMachine,
    ),
    (
        "pinned",
        "pinned ones that sleep make room in host memory",
        switched_off(tiers, "_is_to_wake", lambda sleeper: sleeper.wanted_for_s is not None),
        CrowdedFleetMachine,
    ),
    (
        "in_use or claim",
        "advice puts to sleep what is used",
        _without_guard(DecidedAction.SLEEP, "in_use"),
        SleepingFleetMachine,
    ),
    (
        "ledger or driver",
        "to wake takes nothing",
        switched_off(ModelView, "more_bytes", _nothing_more),
        SleepingFleetMachine,
    ),
    (
        "one_agent",
        "devices of several agents are one",
        switched_off(spanning, "_of_agent", _of_any_agent),
        SpanningFleetMachine,
    ),
    (
        "ledger or driver",
        "a model is loaded where its devices have not all room",
        switched_off(spanning, "make_room_on_all", _load_anyhow),
        SpanningFleetMachine,
    ),
    (
        "served or bound",
        "room is made on one of several devices",
        switched_off(spanning, "make_room_on_all", _on_one_of_them),
        SpanningFleetMachine,
    ),
]
