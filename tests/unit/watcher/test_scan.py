"""When files have settled, and what is announced, as tables."""

import pytest

from modelium.common.records import ModelRecord, ModelState
from modelium.common.testing import a_model_record
from modelium.watcher.listing import Candidate, File, Listing
from modelium.watcher.scan import (
    Announcement,
    Discovery,
    Removal,
    Seen,
    Sent,
    Verdict,
    after_sending,
    announcements,
    free_name,
    is_due,
    next_look_s,
    observe,
    present,
    ready,
    settled,
)

ROOT = "/models"
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


@pytest.mark.parametrize(
    ("verdict", "now_s", "expected"),
    [
        (WHOLE, 0.5, {QWEN.path}),
        (PARTS, 0.5, set()),
        (PARTS, 9.9, set()),
        (PARTS, 10.0, {QWEN.path}),
        (Verdict(GROWN, "f2"), 0.5, set()),
    ],
)
def test_incomplete_models_wait_until_patience_ends(
    verdict: Verdict, now_s: float, expected: set[str]
) -> None:
    found = ready(looked((0.0, listing(QWEN))), {QWEN.path: verdict}, now_s, patience_s=10)
    assert set(found) == expected


@pytest.mark.parametrize(
    ("seen", "verdict", "now_s", "expected"),
    [
        (looked((1.0, listing(QWEN))), None, 1.0, 0.5),
        (looked((1.0, listing(QWEN))), WHOLE, 1.5, None),
        (looked((1.0, listing(QWEN))), PARTS, 2.0, 9.0),
        (looked((0.0, listing(QWEN)), (1.0, listing())), None, 1.25, 0.25),
        (looked((1.0, listing(EMPTY))), None, 1.25, 0.25),
        ({}, None, 1.0, None),
    ],
)
def test_the_next_look_is_when_something_may_settle(
    seen: dict[str, Seen], verdict: Verdict | None, now_s: float, expected: float | None
) -> None:
    verdicts = {QWEN.path: verdict} if verdict else {}
    assert next_look_s(seen, verdicts, now_s, settle_s=0.5, patience_s=10) == expected


FOUND = {QWEN.path: WHOLE}
ANNOUNCE = Discovery(QWEN.path, "qwen", "f1", 10)


@pytest.mark.parametrize(
    ("case", "found", "records", "expected"),
    [
        ("a new model", FOUND, [], [ANNOUNCE]),
        ("one the store knows", FOUND, [a_model_record()], []),
        ("one it rejected", FOUND, [a_model_record(state=ModelState.REJECTED)], []),
        ("other files", FOUND, [a_model_record(fingerprint="f0")], [ANNOUNCE]),
        ("back before its engine ended", FOUND, [a_model_record(removed=True)], [ANNOUNCE]),
        ("never analysed", FOUND, [a_model_record(state=ModelState.DISCOVERED)], [ANNOUNCE]),
        ("half analysed", FOUND, [a_model_record(state=ModelState.ANALYZING)], [ANNOUNCE]),
        ("gone", {}, [a_model_record()], [Removal(QWEN.path, "qwen")]),
        ("gone, and marked", {}, [a_model_record(removed=True)], []),
        ("not ours", {}, [a_model_record(path="/elsewhere/qwen")], []),
        ("below another model", {}, [a_model_record(path="/models/a/qwen")], []),
    ],
)
def test_what_the_store_does_not_know_is_announced(
    case: str,
    found: dict[str, Verdict],
    records: list[ModelRecord],
    expected: list[Announcement],
) -> None:
    assert announcements(found, set(found), (ROOT,), records) == expected


def test_models_of_an_unreadable_directory_are_not_removed() -> None:
    assert announcements({}, set(), (), [a_model_record()]) == []


def test_a_known_model_that_is_changing_is_neither_announced_nor_removed() -> None:
    assert announcements({}, {QWEN.path}, (ROOT,), [a_model_record()]) == []


def test_of_two_folders_of_one_name_the_first_directory_s_has_it() -> None:
    other = Verdict(Candidate("/a/qwen", (File("config.json", 10, 1),)), "f2")
    found = {"/a/qwen": other, QWEN.path: WHOLE}
    result = announcements(found, set(found), (ROOT, "/a"), [])
    assert [(it.path, it.model) for it in result] == [
        ("/models/qwen", "qwen"),
        ("/a/qwen", "qwen-2"),
    ]


def test_a_path_keeps_the_name_that_the_store_knows() -> None:
    record = a_model_record(model="qwen-2", fingerprint="f0")
    assert announcements(FOUND, set(FOUND), (ROOT,), [record]) == [
        Discovery(QWEN.path, "qwen-2", "f1", 10)
    ]


def test_a_free_name_is_not_too_long() -> None:
    assert free_name("a" * 128, ["a" * 128]) == "a" * 120 + "-2"
    assert free_name("qwen", ["qwen", "qwen-2"]) == "qwen-3"


@pytest.mark.parametrize(
    ("sent", "now_s", "due"),
    [
        (None, 0.0, True),
        (Sent("f1", 0.0, 1), 9.9, False),
        (Sent("f1", 0.0, 1), 10.0, True),
        (Sent("f0", 0.0, 1), 0.1, True),
        (Sent(None, 0.0, 1), 0.1, True),
    ],
)
def test_the_registry_gets_time_to_hear(sent: Sent | None, now_s: float, due: bool) -> None:
    assert is_due(ANNOUNCE, sent, now_s, again_s=10) is due


def test_announcements_of_a_path_are_counted() -> None:
    first = after_sending(ANNOUNCE, None, 1.0)
    assert after_sending(Removal(QWEN.path, "qwen"), first, 2.0) == Sent(None, 2.0, 2)
