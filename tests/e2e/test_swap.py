"""The swap of `make bench-swap`, made short: real engines take turns, nobody is lost."""

import os
from pathlib import Path

import pytest

from benchmarks import swap

REQUESTS = 8
MINUTES = 1.0


@pytest.mark.vllm
@pytest.mark.timeout(900)
def test_four_models_take_turns_in_memory_for_two(tmp_path: Path) -> None:
    python = Path(os.environ["MODELIUM_VLLM_PYTHON"])
    outcome = swap.run(tmp_path, python, requests=REQUESTS, minutes=MINUTES)
    assert outcome.problems() == []
    assert len(outcome.asked) == REQUESTS
    assert len({one.model for one in outcome.asked}) > 2, "the others had to give way"
    assert outcome.engines.most_engines == 2
    assert outcome.engines.counts["unloads"] > 0
    assert outcome.memory.samples > MINUTES * 60 / swap.SAMPLE_S / 2
