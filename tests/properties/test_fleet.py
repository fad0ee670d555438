"""The rules of placement hold second by second whatever happens, and each is needed for that."""

import pytest

from tests.properties.fleet_machine import (
    CrowdedFleetMachine,
    FleetMachine,
    SleepingFleetMachine,
    SpanningFleetMachine,
)
from tests.properties.fleet_mutants import MUTANTS, SHAPED, Mutate
from tests.properties.fleet_parts import Broken
from tests.properties.machines import search

pytestmark = pytest.mark.timeout(600)
"""It counts examples, which take longer where the machine is busy."""
EXAMPLES: dict[type[FleetMachine], int] = {
    FleetMachine: 120,
    SleepingFleetMachine: 90,
    SpanningFleetMachine: 90,
    CrowdedFleetMachine: 60,
}
ATTEMPTS = 5
AT_MOST = 1000
"""Until a rule that is switched off is missed; most are within a hundred."""
STEPS = 20
MISSED = [*((*mutant, FleetMachine) for mutant in MUTANTS), *SHAPED]


@pytest.mark.parametrize("machine", EXAMPLES)
def test_no_rule_is_broken_by_anything_that_happens(machine: type[FleetMachine]) -> None:
    search(machine, examples=EXAMPLES[machine], steps=STEPS)


@pytest.mark.parametrize(
    ("rule", "mutate", "machine"),
    [(m[0], m[2], m[3]) for m in MISSED],
    ids=[f"{m[0]}-{m[1]}" for m in MISSED],
)
def test_a_rule_that_is_switched_off_is_missed(
    rule: str, mutate: Mutate, machine: type[FleetMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(Broken) as broken:
        search(machine, examples=AT_MOST, attempts=ATTEMPTS, steps=STEPS)
    assert broken.value.rule in rule.split(" or ")
