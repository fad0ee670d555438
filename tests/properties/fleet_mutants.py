"""`decide` with one rule switched off: what each rule is for."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from modelium.common.figures import DecidedAction
from modelium.common.records import ModelState
from modelium.core import books, decide, displace, guard, ledger, victims
from modelium.core.snapshot import DeviceView, ModelView, Snapshot

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
            decide, "_reason_to_go", lambda model: "asked" if model.unload_requested else ""
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
        "one_at_a_time",
        "commands are forgotten",
        switched_off(books.Books, "command", lambda *_: None),
    ),
    ("served or bound", "nobody grows old", switched_off(displace, "_aged", lambda *_: False)),
    ("served", "the youngest go first", switched_off(decide, "_waiters", _youngest_first)),
    ("bound", "nobody is refused for his age", switched_off(decide, "_within_bound", _as_it_was)),
]
