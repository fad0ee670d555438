"""A thousand ways in which files come in, several at once: none is taken early, none is missed."""

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from .files import pool
from .interleaving import Run
from .transfers import Contents

RUNS = 1000
BATCH = 100


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Contents]]:
    return pool(tmp_path_factory.mktemp("pool"))


@pytest.fixture
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("first", range(0, RUNS, BATCH))
async def test_what_is_promoted_is_whole_and_what_is_whole_is_promoted(
    first: int,
    tmp_path: Path,
    contents: dict[str, list[Contents]],
    record_property: Callable[[str, object], None],
) -> None:
    counts: Counter[str] = Counter()
    premature: list[str] = []
    missed: list[str] = []
    for seed in range(first, first + BATCH):
        run = Run(seed, tmp_path / str(seed), contents)
        await run.play()
        premature += run.premature
        missed += await run.missed()
        counts.update(runs=1, models=len(run.models), looks=run.looks)
        counts.update(promotions=sum(model.promoted for model in run.models))
        counts.update(never_whole=sum(not model.whole for model in run.models))
        shutil.rmtree(run.folder)
    print(dict(counts))
    for name, number in counts.items():
        record_property(name, number)
    assert (premature, missed) == ([], [])
    assert counts["promotions"] > counts["runs"] > 0
