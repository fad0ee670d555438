"""The orchestrator, or the registry that it reads, with one rule switched off."""

from dataclasses import replace
from typing import Any, Final

from modelium.common.lease import Lease
from modelium.core import decide, displace
from modelium.core.actions import Load
from modelium.core.books import Books
from modelium.orchestrator import commands, engines
from modelium.orchestrator.fenced_bus import FencedBus
from modelium.orchestrator.left_behind import LeftBehind
from modelium.orchestrator.placement_state import PlacementState
from modelium.registry import handlers
from tests.properties.fleet_mutants import Mutate, load_what_runs, pinned_may_go, switched_off
from tests.properties.system_machine import (
    Absences,
    Copies,
    Crowd,
    Everything,
    Leaders,
    Patient,
)
from tests.properties.system_rules import Begun

_load_model: Final = commands.load_model
_unload_model: Final = commands.unload_model


def _not_beside(action: Load, *given: Any) -> Any:
    return _load_model(replace(action, is_copy=False), *given)


def _at_once(*given: Any) -> Any:
    return _unload_model(*given[:-1], 0.0)


# The rules that may be seen broken, what was switched off, how, and where it is looked for.
MUTANTS: list[tuple[str, str, Mutate, type[Begun]]] = [
    (
        "ledger",
        "engines hold nothing",
        switched_off(engines, "_claims", lambda *_: ({}, {})),
        Everything,
    ),
    (
        "ledger",
        "loads left behind are forgotten",
        switched_off(LeftBehind, "add", lambda *_: None),
        Absences,
    ),
    ("single_flight", "what runs is loaded", load_what_runs, Everything),
    (
        "ledger or one_at_a_time or copy_elsewhere",
        "copies are nobody's",
        switched_off(engines, "copies_of", lambda *_: []),
        Copies,
    ),
    (
        "single_flight",
        "copies are loads as any other",
        switched_off(commands, "load_model", _not_beside),
        Copies,
    ),
    (
        "generation",
        "numbers are used again",
        switched_off(PlacementState, "next_generation", lambda *_: 1),
        Everything,
    ),
    (
        "one_at_a_time",
        "no device is busy",
        switched_off(Books, "busy", lambda *_: False),
        Crowd,
    ),
    (
        "drain",
        "engines are stopped at once",
        switched_off(commands, "unload_model", _at_once),
        Everything,
    ),
    (
        "fence",
        "who does not lead speaks",
        switched_off(FencedBus, "publish", lambda self, message: self._bus.publish(message)),
        Leaders,
    ),
    (
        "fence",
        "a lease is trusted for ever",
        switched_off(Lease, "trusted_for_s", 60.0),
        Leaders,
    ),
    ("pinned", "anybody may go", switched_off(displace, "_may_go", pinned_may_go), Crowd),
    (
        "stale_generation",
        "what is over is news",
        switched_off(handlers, "is_news", lambda *_: True),
        Everything,
    ),
    (
        "served or bound",
        "nobody grows old",
        switched_off(displace, "_aged", lambda *_: False),
        Patient,
    ),
    (
        "bound",
        "nobody is refused for his age",
        switched_off(decide, "_within_bound", lambda _, __, actions, ___: actions),
        Patient,
    ),
]
