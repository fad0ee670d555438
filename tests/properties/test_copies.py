"""The rules of copies hold second by second whatever happens, and each is needed for that."""

from dataclasses import replace

import pytest

from modelium.core import replacing, replicas
from modelium.core.actions import Load, Unload
from modelium.core.books import Books
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView
from tests.properties.copies import Copying, CopyingMachine
from tests.properties.fleet_mutants import Mutate, switched_off
from tests.properties.fleet_parts import Broken
from tests.properties.machines import search

pytestmark = pytest.mark.timeout(600)
"""As in `test_fleet.py`."""
EXAMPLES = 40
STEPS = 20
ATTEMPTS = 5
AT_MOST = 500
"""Until a rule that is switched off is missed."""
_one_more, _too_many = replicas.one_more, replicas.too_many


def _crowded(_: Books, model: ModelView, policy: Policy) -> bool:
    return model.live and model.crowded_for_s >= max(1.0, policy.copy_after_s)


def _anywhere(books: Books, model: ModelView, _: Policy) -> DeviceView | None:
    fitting = [d for d in books.snapshot.devices if books.fits(d, model) and not books.busy(d)]
    return next(iter(fitting), None)


def _before_others(books: Books, policy: Policy) -> list[Unload | Load]:
    at_once = replace(policy, copy_after_s=0)
    return [*_too_many(books, policy), *_one_more(books, at_once)]


def _by_displacing(books: Books, policy: Policy) -> list[Load | Unload]:
    """Where there is no room, somebody idle goes."""
    crowded = any(_crowded(books, m, policy) for m in books.snapshot.models)
    idle = [m for m in books.snapshot.models if not m.pinned and m.unused_s > 5]
    for model in idle if crowded else ():
        if books.can_stop(model) and model.loaded_for_s is not None:
            books.command(model.device_ids, model)
            return [Unload(model.model, "a copy is wanted")]
    return [*_one_more(books, policy)]


def _nobody_is_waited_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(replicas, "too_many", _before_others)
    patch.setattr(replicas, "one_more", lambda *_: [])


def _all_of_it(_: Books, device: DeviceView, __: Policy) -> int:
    return device.total_bytes


# The rule that is seen broken, what was switched off, and how.
MUTANTS: list[tuple[str, str, Mutate]] = [
    (
        "copy_maximum or single_flight",
        "there is no maximum",
        switched_off(replicas, "_may_have_more", _crowded),
    ),
    (
        "ledger or driver",
        "what is free does not matter",
        switched_off(replicas, "spare_bytes", _all_of_it),
    ),
    ("copy_elsewhere", "any device will do", switched_off(replicas, "_where", _anywhere)),
    ("copy_last", "nobody is waited for", _nobody_is_waited_for),
    (
        "ledger or driver",
        "replacing needs no room",
        switched_off(replacing, "spare_bytes", _all_of_it),
    ),
    (
        "old_files",
        "nothing is replaced",
        switched_off(replacing, "replace_in_use", lambda *_, **__: []),
    ),
    ("copy_displaces", "others go for copies", switched_off(replicas, "one_more", _by_displacing)),
    ("copy_kept", "copies go for nothing", switched_off(replicas, "_why_less", lambda *_: "so")),
]


def test_no_rule_is_broken_by_anything_that_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    copied = 0

    def note(machine: CopyingMachine) -> None:
        nonlocal copied
        if isinstance(fleet := getattr(machine, "fleet", None), Copying):
            copied += fleet.copied

    monkeypatch.setattr(CopyingMachine, "teardown", note)
    search(CopyingMachine, examples=EXAMPLES, steps=STEPS)
    assert copied > EXAMPLES // 2


@pytest.mark.parametrize(
    ("rule", "mutate"), [(m[0], m[2]) for m in MUTANTS], ids=[f"{m[0]}-{m[1]}" for m in MUTANTS]
)
def test_a_rule_that_is_switched_off_is_missed(
    rule: str, mutate: Mutate, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(Broken) as broken:
        search(CopyingMachine, examples=AT_MOST, attempts=ATTEMPTS, steps=STEPS)
    assert broken.value.rule in rule.split(" or ")
