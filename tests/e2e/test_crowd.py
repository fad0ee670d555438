"""The crowd of `make bench-crowd`, made small: an agent dies, an engine hangs, nobody is lost."""

from pathlib import Path

import pytest

from benchmarks import crowd

SMALL = crowd.Size(models=20, slots=4, rate_per_s=30.0, seconds=15.0)


@pytest.mark.timeout(240)
def test_a_crowd_is_answered_though_an_agent_dies_and_an_engine_hangs(tmp_path: Path) -> None:
    outcome = crowd.run(tmp_path, SMALL)
    assert outcome.problems() == []
    assert len(outcome.asked) == SMALL.rate_per_s * SMALL.seconds
    assert len(outcome.happened) == 3
    assert outcome.engines.counts["loads"] > SMALL.models, "some were loaded again"
