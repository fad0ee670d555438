"""Hostile files are rejected with a fitting reason; odd but honest ones are accepted.

The tables of all are printed, and written to .modelium/test.
"""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from modelium.common.descriptor import Descriptor
from modelium.common.errors import InvalidModel
from modelium.common.settings import ModelDiscovery
from modelium.watcher.filesystem import ModelFolders
from tests.unit.watcher.analysts import InThisProcess

from . import good, hostile_endings, hostile_programs, hostile_text
from .cases import Case

HOSTILE = [*hostile_text.CASES, *hostile_programs.CASES, *hostile_endings.CASES]
GOOD = good.CASES
RESULTS = Path(".modelium/test")
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


async def test_hostile_models_are_rejected_with_fitting_reasons() -> None:
    said = [(case, await verdict(case)) for case in HOSTILE]
    write_table("hostile", said)
    wrong = [
        (case.name, it)
        for case, it in said
        if isinstance(it, Descriptor) or case.why not in it or len(it) > 600
    ]
    assert not wrong


async def test_odd_but_honest_models_are_accepted() -> None:
    said = [(case, await verdict(case)) for case in GOOD]
    write_table("honest", said)
    assert not [(case.name, it) for case, it in said if not isinstance(it, Descriptor)]


def write_table(kind: str, said: Iterable[tuple[Case, Descriptor | str]]) -> None:
    lines = ["| model | verdict | why |", "|---|---|---|"]
    for case, it in said:
        accepted = isinstance(it, Descriptor)
        why = f"{it.format}, {it.task}" if isinstance(it, Descriptor) else it
        why = re.sub(r"[|\n]", " ", why)
        lines.append(f"| {case.name} | {'accepted' if accepted else 'rejected'} | {why} |")
    RESULTS.mkdir(parents=True, exist_ok=True)
    table = RESULTS / f"{kind}-models.md"
    table.write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 2} {kind} model files: {table}\n" + "\n".join(lines))
