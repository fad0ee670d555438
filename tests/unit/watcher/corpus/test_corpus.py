"""Hostile files are rejected with a fitting reason; odd but honest ones are accepted.

The table of all is printed, and written to .modelium/test/model-files.md.
"""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from modelium.common.descriptor import Descriptor
from modelium.common.errors import InvalidModel
from modelium.common.settings import ModelDiscovery
from modelium.watcher.filesystem import ModelFolders
from tests.unit.watcher.analysts import InThisProcess

from . import good, hostile_programs, hostile_text
from .cases import Case

HOSTILE = [*hostile_text.CASES, *hostile_programs.CASES]
GOOD = good.CASES
TABLE = Path(".modelium/test/model-files.md")
SUPPORTED = ModelDiscovery().supported_extensions


async def verdict(case: Case) -> Descriptor | str:
    """What the watcher says of the case: what it is, or why it is rejected."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "models"
        root.mkdir()
        folders = ModelFolders(
            [root], supported=SUPPORTED, read_by_others=False, analyst=InThisProcess()
        )
        try:
            found = await folders.look(str(case.make(root)))
            return await folders.analyse(found.candidate)
        except InvalidModel as error:
            return error.reason


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(HOSTILE) >= 60
    assert len(GOOD) >= 40
    for cases in (HOSTILE, GOOD):
        assert len({case.name for case in cases}) == len(cases)


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.name)
async def test_a_hostile_model_is_rejected_with_a_fitting_reason(case: Case) -> None:
    said = await verdict(case)
    assert isinstance(said, str), "it was accepted"
    assert case.why in said
    assert len(said) < 600


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
async def test_an_odd_but_honest_model_is_accepted(case: Case) -> None:
    said = await verdict(case)
    assert isinstance(said, Descriptor), said


async def test_the_table_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line async for line in _lines([*HOSTILE, *GOOD])]
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("\n".join(["| model | verdict | why |", "|---|---|---|", *lines]) + "\n")
    with capsys.disabled():
        print(f"\n{len(HOSTILE)} hostile and {len(GOOD)} honest model files: {TABLE}")


async def _lines(cases: Iterable[Case]):  # type: ignore[no-untyped-def]
    for case in cases:
        said = await verdict(case)
        accepted = isinstance(said, Descriptor)
        why = f"{said.format}, {said.task}" if accepted else re.sub(r"[|\n]", " ", str(said))
        yield f"| {case.name} | {'accepted' if accepted else 'rejected'} | {why} |"
