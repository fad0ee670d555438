"""The rules of placement hold whatever happens around the orchestrator; each is needed for that.

Judged by what agents are commanded and what they hold. EXAMPLES_FACTOR=20 makes twenty times as
many examples (`tests/properties/machines.py`).
"""

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.properties.fleet_mutants import Mutate
from tests.properties.fleet_parts import Broken
from tests.properties.machines import search
from tests.properties.orchestrator_mutants import MUTANTS
from tests.properties.system_machine import (
    Absences,
    Copies,
    Crowd,
    Everything,
    Leaders,
    Patient,
)
from tests.properties.system_rules import Begun

pytestmark = pytest.mark.timeout(600)
"""As in `test_fleet.py`."""
STEPS: dict[type[Begun], int] = {
    Everything: 20,
    Absences: 4,
    Crowd: 20,
    Leaders: 12,
    Patient: 4,
    Copies: 20,
}
"""Those of the patient last minutes."""
EXAMPLES: dict[type[Begun], int] = {
    Everything: 25,
    Absences: 15,
    Crowd: 10,
    Leaders: 12,
    Patient: 2,
    Copies: 10,
}
ATTEMPTS = 5
AT_MOST = 200
"""Until a rule that is switched off is missed; most are within fifty."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Logs of what a search does would be longer than all others together."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("machine", EXAMPLES)
def test_no_rule_is_broken_by_anything_that_happens(machine: type[Begun]) -> None:
    search(machine, examples=EXAMPLES[machine], steps=STEPS[machine])


@pytest.mark.parametrize(
    ("rule", "mutate", "machine"),
    [(m[0], m[2], m[3]) for m in MUTANTS],
    ids=[f"{m[0]}-{m[1]}" for m in MUTANTS],
)
def test_a_rule_that_is_switched_off_is_missed(
    rule: str, mutate: Mutate, machine: type[Begun], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(Broken) as broken:
        search(machine, examples=AT_MOST, attempts=ATTEMPTS, steps=STEPS[machine])
    assert broken.value.rule in rule.split(" or ")
