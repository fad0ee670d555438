"""The rules of placement hold second by second whatever happens, and each is needed for that."""

import pytest

from tests.properties.fleet_machine import FleetMachine, NarrowFleetMachine
from tests.properties.fleet_mutants import MUTANTS, Mutate
from tests.properties.fleet_parts import Broken
from tests.properties.machines import search

pytestmark = pytest.mark.timeout(600)
"""It counts examples, which take longer where the machine is busy."""
EXAMPLES = 300
ATTEMPTS = 5
AT_MOST = 1000
"""Until a rule that is switched off is missed; most are within a hundred."""
STEPS = 20
NARROW = {"served or bound": NarrowFleetMachine}
"""Rules that are missed where models take turns."""


def test_no_rule_is_broken_by_anything_that_happens() -> None:
    search(FleetMachine, examples=EXAMPLES, steps=STEPS)


@pytest.mark.parametrize(
    ("rule", "mutate"), [(m[0], m[2]) for m in MUTANTS], ids=[f"{m[0]}-{m[1]}" for m in MUTANTS]
)
def test_a_rule_that_is_switched_off_is_missed(
    rule: str, mutate: Mutate, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(Broken) as broken:
        search(NARROW.get(rule, FleetMachine), examples=AT_MOST, attempts=ATTEMPTS, steps=STEPS)
    assert broken.value.rule in rule.split(" or ")
