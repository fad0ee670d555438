"""When files have settled, and when what is known of them counts, as tables."""

from dataclasses import replace

import pytest

from modelium.watcher.listing import Candidate, File, Listing
from modelium.watcher.scan import (
    Seen,
    Verdict,
    Waits,
    kept,
    next_look_s,
    observe,
    present,
    ready,
    settled,
)

ROOT = "/models"
WAITS = Waits(settle_s=0.5, missing_s=10, doubt_s=60)
QWEN = Candidate("/models/qwen", (File("config.json", 10, 1),))
GROWN = Candidate("/models/qwen", (File("config.json", 11, 2),))
EMPTY = Candidate("/models/qwen")
COPYING = Candidate("/models/qwen", (File("config.json", 10, 1),), unfinished=True)


def listing(*candidates: Candidate, roots: tuple[str, ...] = (ROOT,)) -> Listing:
    return Listing({candidate.path: candidate for candidate in candidates}, roots)


def looked(*looks: tuple[float, Listing]) -> dict[str, Seen]:
    """What was seen after looking at these times, with half a second to settle."""
    seen: dict[str, Seen] = {}
    for at_s, found in looks:
        seen = observe(seen, found, at_s, settle_s=0.5)
    return seen


@pytest.mark.parametrize(
    ("case", "looks", "now_s", "expected"),
    [
        ("unchanged for long enough", [(0.0, listing(QWEN))], 0.5, [QWEN]),
        ("not yet", [(0.0, listing(QWEN))], 0.4, []),
        ("still growing", [(0.0, listing(QWEN)), (0.4, listing(GROWN))], 0.8, []),
        ("grown, then unchanged", [(0.0, listing(QWEN)), (0.4, listing(GROWN))], 0.9, [GROWN]),
        ("an empty folder waits", [(0.0, listing(EMPTY))], 99.0, []),
        ("an unfinished file waits", [(0.0, listing(COPYING))], 99.0, []),
        ("gone", [(0.0, listing(QWEN)), (0.1, listing())], 99.0, []),
    ],
)
def test_files_settle_when_they_no_longer_change(
    case: str, looks: list[tuple[float, Listing]], now_s: float, expected: list[Candidate]
) -> None:
    assert settled(looked(*looks), now_s, settle_s=0.5) == expected


def test_what_vanishes_counts_as_there_until_that_has_settled() -> None:
    seen = looked((0.0, listing(QWEN)), (5.0, listing()))
    assert present(seen, 5.4, settle_s=0.5) == {QWEN.path}
    assert present(seen, 5.5, settle_s=0.5) == set()
    assert observe(seen, listing(), 5.5, settle_s=0.5) == {}


def test_an_emptied_folder_counts_as_gone_once_that_has_settled() -> None:
    seen = looked((0.0, listing(QWEN)), (5.0, listing(EMPTY)))
    assert present(seen, 5.4, settle_s=0.5) == {QWEN.path}
    assert present(seen, 5.5, settle_s=0.5) == set()


def test_a_model_whose_files_are_all_being_replaced_is_not_gone() -> None:
    seen = looked((0.0, listing(Candidate(QWEN.path, unfinished=True))))
    assert present(seen, 99.0, settle_s=0.5) == {QWEN.path}


def test_a_watch_directory_that_cannot_be_read_leaves_everything_as_it_was() -> None:
    seen = looked((0.0, listing(QWEN)), (5.0, listing(roots=())))
    assert seen == {QWEN.path: Seen(QWEN, 0.0)}


WHOLE = Verdict(QWEN, "f1")
PARTS = Verdict(QWEN, "f1", missing="model-00002-of-00002.safetensors is missing")
ZEROS = Verdict(QWEN, "f1", doubt="it ends with zeros")
OPEN = replace(ZEROS, doubt="somebody writes", written=QWEN.files[0])
NEITHER = Verdict(QWEN, "f1", missing="a part is missing", doubt="somebody writes")


@pytest.mark.parametrize(
    ("verdict", "now_s", "expected"),
    [
        (WHOLE, 0.5, {QWEN.path}),
        (PARTS, 0.5, set()),
        (PARTS, 9.9, set()),
        (PARTS, 10.0, {QWEN.path}),
        (ZEROS, 59.9, set()),
        (ZEROS, 60.0, {QWEN.path}),
        (NEITHER, 59.9, set()),
        (NEITHER, 60.0, {QWEN.path}),
        (Verdict(GROWN, "f2"), 0.5, set()),
    ],
)
def test_incomplete_models_wait_until_patience_ends(
    verdict: Verdict, now_s: float, expected: set[str]
) -> None:
    found = ready(looked((0.0, listing(QWEN))), {QWEN.path: verdict}, now_s, WAITS)
    assert set(found) == expected


@pytest.mark.parametrize(
    ("seen", "verdict", "now_s", "expected"),
    [
        (looked((1.0, listing(QWEN))), None, 1.0, 0.5),
        (looked((1.0, listing(QWEN))), WHOLE, 1.5, None),
        (looked((1.0, listing(QWEN))), PARTS, 2.0, 9.0),
        (looked((1.0, listing(QWEN))), ZEROS, 2.0, 59.0),
        (looked((0.0, listing(QWEN)), (1.0, listing())), None, 1.25, 0.25),
        (looked((1.0, listing(EMPTY))), None, 1.25, 0.25),
        ({}, None, 1.0, None),
    ],
)
def test_the_next_look_is_when_something_may_settle(
    seen: dict[str, Seen], verdict: Verdict | None, now_s: float, expected: float | None
) -> None:
    verdicts = {QWEN.path: verdict} if verdict else {}
    assert next_look_s(seen, verdicts, now_s, WAITS) == expected


@pytest.mark.parametrize(
    ("case", "verdict", "now_s", "rescan", "stays"),
    [
        ("whole", WHOLE, 1.0, True, True),
        ("incomplete, between two scans", PARTS, 1.0, False, True),
        ("incomplete, at a scan", PARTS, 1.0, True, False),
        ("refused: not read again and again", PARTS, 10.0, True, True),
        ("doubtful, between two scans", ZEROS, 1.0, False, True),
        ("doubtful, at a scan", ZEROS, 1.0, True, False),
        ("open: its writer may have closed it", OPEN, 1.0, False, False),
        ("taken as it is", ZEROS, 60.0, True, True),
        ("of other files", Verdict(GROWN, "f2"), 1.0, False, False),
    ],
)
def test_files_are_read_again_only_while_more_may_be_known(
    case: str, verdict: Verdict, now_s: float, rescan: bool, stays: bool
) -> None:
    seen = looked((0.0, listing(QWEN)))
    found = kept({QWEN.path: verdict}, seen, now_s, WAITS, rescan=rescan)
    assert bool(found) is stays
