"""What is announced, and in whose name, as tables."""

import pytest

from modelium.common.descriptor import Overrides
from modelium.common.records import ModelRecord, ModelState
from modelium.common.testing import a_descriptor, a_model_record
from modelium.watcher.announcements import (
    Announcement,
    Discovery,
    Removal,
    Sent,
    after_sending,
    announcements,
    free_name,
    is_due,
    name_is_taken,
)
from modelium.watcher.listing import Candidate, File
from modelium.watcher.scan import Verdict

ROOT = "/models"
QWEN = Candidate("/models/qwen", (File("config.json", 10, 1),))
WHOLE = Verdict(QWEN, "f1")
OTHER = Verdict(Candidate("/a/qwen", (File("config.json", 10, 1),)), "f2")
FOUND = {QWEN.path: WHOLE}
PARTIAL = {QWEN.path: Verdict(QWEN, "f2", missing="config.json is missing")}
LIVE = a_model_record(state=ModelState.LOADED)
UNREAD = LIVE.model_copy(update={"files_analysed": False})
REFUSED = {"files_rejected": True}
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
        ("never analysed, beside an engine", FOUND, [UNREAD], [ANNOUNCE]),
        ("rejected beside an engine", FOUND, [UNREAD.model_copy(update=REFUSED)], []),
        ("incomplete ones over a running one's", PARTIAL, [LIVE], []),
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


def test_of_two_new_folders_of_one_name_the_first_directory_s_has_it() -> None:
    found = {"/a/qwen": OTHER, QWEN.path: WHOLE}
    assert announcements(found, set(found), (ROOT, "/a"), []) == [
        ANNOUNCE,
        Discovery("/a/qwen", "qwen-2", "f2", 10, name_taken_by="/models/qwen"),
    ]


ALIASED = a_model_record(
    model="tiny",
    path="/models/tiny",
    descriptor=a_descriptor(overrides=Overrides(aliases=("qwen",))),
)
REFUSED_FOR_ALIAS = Discovery(QWEN.path, "qwen-2", "f1", 10, name_taken_by="/models/tiny")


@pytest.mark.parametrize(
    ("case", "records", "expected"),
    [
        ("another's alias", [ALIASED], [REFUSED_FOR_ALIAS]),
        ("of one that is gone", [ALIASED.model_copy(update={"removed": True})], [ANNOUNCE]),
        (
            "of one that was refused",
            [ALIASED.model_copy(update={"state": ModelState.REJECTED})],
            [ANNOUNCE],
        ),
        ("the name was there first", [a_model_record(), ALIASED], []),
    ],
)
def test_a_name_that_is_an_alias_is_taken(
    case: str, records: list[ModelRecord], expected: list[Announcement]
) -> None:
    assert announcements(FOUND, {QWEN.path, ALIASED.path}, (ROOT,), records) == expected


STAND_IN = a_model_record(
    model="qwen-2",
    path="/a/qwen",
    fingerprint="f2",
    state=ModelState.REJECTED,
    reason=name_is_taken(OTHER, "/models/qwen"),
)
REFUSED = Discovery("/a/qwen", "qwen-2", "f2", 10, name_taken_by="/models/qwen")
GETS_IT = [Removal("/a/qwen", "qwen-2"), Discovery("/a/qwen", "qwen", "f2", 10)]


@pytest.mark.parametrize(
    ("case", "found", "records", "expected"),
    [
        ("known to be refused", [WHOLE, OTHER], [a_model_record(), STAND_IN], []),
        ("refused only so far as is known", [WHOLE, OTHER], [a_model_record()], [REFUSED]),
        (
            "announced, but not refused yet",
            [WHOLE, OTHER],
            [a_model_record(), STAND_IN.model_copy(update={"state": ModelState.DISCOVERED})],
            [REFUSED],
        ),
        ("the first is gone", [OTHER], [STAND_IN], GETS_IT),
        (
            "its engine still ends",
            [OTHER],
            [a_model_record(removed=True), STAND_IN],
            GETS_IT,
        ),
        (
            "a third has the name now",
            [OTHER],
            [a_model_record(path="/b/qwen"), STAND_IN],
            [Discovery("/a/qwen", "qwen-2", "f2", 10, name_taken_by="/b/qwen")],
        ),
        (
            "a folder that is really called so",
            [Verdict(Candidate("/a/qwen-2", QWEN.files), "f3"), WHOLE, OTHER],
            [a_model_record(), STAND_IN],
            [Discovery("/a/qwen-2", "qwen-2", "f3", 10)],
        ),
        (
            "refused for something else, under the name that somebody gave it",
            [WHOLE, OTHER],
            [a_model_record(), STAND_IN.model_copy(update={"reason": "it is no model"})],
            [],
        ),
        (
            "served under a number by an earlier version",
            [WHOLE, OTHER],
            [a_model_record(), STAND_IN.model_copy(update={"state": ModelState.UNLOADED})],
            [],
        ),
    ],
)
def test_a_name_belongs_to_the_first_path_that_has_it(
    case: str, found: list[Verdict], records: list[ModelRecord], expected: list[Announcement]
) -> None:
    by_path = {verdict.candidate.path: verdict for verdict in found}
    assert announcements(by_path, set(by_path), (ROOT, "/a"), records) == expected


def test_a_path_keeps_the_name_that_the_store_knows() -> None:
    record = a_model_record(model="chat", fingerprint="f0")
    assert announcements(FOUND, set(FOUND), (ROOT,), [record]) == [
        Discovery(QWEN.path, "chat", "f1", 10)
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
        (Sent("f1", 0.0, 2, repeats=1), 19.9, False),
        (Sent("f1", 0.0, 2, repeats=1), 20.0, True),
        (Sent("f1", 0.0, 99, repeats=98), 59.9, False),
        (Sent("f1", 0.0, 99, repeats=98), 60.0, True),
    ],
)
def test_the_registry_gets_time_to_hear(sent: Sent | None, now_s: float, due: bool) -> None:
    assert is_due(ANNOUNCE, sent, now_s, again_s=10) is due


def test_announcements_of_a_path_are_counted() -> None:
    first = after_sending(ANNOUNCE, None, 1.0)
    assert after_sending(Removal(QWEN.path, "qwen"), first, 2.0) == Sent(None, 2.0, 2)
    assert after_sending(ANNOUNCE, first, 2.0) == Sent("f1", 2.0, 2, repeats=1)
