"""The soak of `make soak`, made short: it looks at counts; a leak of memory takes longer to see."""

from pathlib import Path

import pytest

from benchmarks import soak
from benchmarks.soak_load import COLD

MINUTES = 0.75


@pytest.mark.timeout(240)
def test_nothing_is_left_in_the_gateway_after_mixed_load(tmp_path: Path) -> None:
    outcome = soak.run(tmp_path, MINUTES)
    assert outcome.problems() == []
    kinds = outcome.tally.went_well
    assert min(kinds[kind] for kind in ("plain", "stream", "left", "cold", "dying", "failing")) > 0
    assert kinds["slots filled"] == 1
    assert kinds["refused by a limit"] > kinds["let in by a limit"] > 0
    assert min(outcome.loads[model] for model in COLD) > 1, "the cold ones take turns"
