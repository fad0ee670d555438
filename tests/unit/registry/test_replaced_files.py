"""What new files of a model make of its record while an engine serves the old ones."""

from datetime import UTC, datetime, timedelta

import pytest

from modelium.common.hash_codec import from_hash, to_hash
from modelium.common.records import FailureKind, InstanceState, ModelRecord
from modelium.common.records import ModelState as S
from modelium.common.testing import a_descriptor
from modelium.registry.news import Event, is_news
from modelium.registry.projection import apply
from tests.unit.registry import facts

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OLD, NEW = "http://127.0.0.1:9001", "http://127.0.0.1:9002"
WIDER = a_descriptor(context_length=8192)
CHANGED = facts.discovered(fingerprint="f2")
ANALYZED = facts.analyzed(fingerprint="f2", descriptor=WIDER)
REJECTED = facts.rejected(fingerprint="f2")
SERVES_NEW = facts.loaded(2, endpoint=NEW, fingerprint="f2", load_s=7.0)


def after(record: ModelRecord, *events: Event) -> ModelRecord:
    for event in events:
        if is_news(record, event):
            changed = apply(record, event, NOW)
            assert changed is not None
            record = changed
    return record


def serving() -> ModelRecord:
    return facts.a_loaded_record(1, loaded_at=NOW - timedelta(hours=1))


def urls(record: ModelRecord) -> list[str]:
    return [endpoint.url for endpoint in record.endpoints]


def test_new_files_change_nothing_of_what_is_served_until_they_are_analysed() -> None:
    before = serving()
    record = after(before, CHANGED, facts.analyzing(fingerprint="f2"))
    assert (record.state, record.descriptor) == (S.LOADED, before.descriptor)
    assert record.has_new_files
    assert not record.files_analysed
    assert "while the new are analysed" in record.reason
    record = after(record, ANALYZED)
    assert (record.descriptor, record.files_analysed) == (WIDER, True)
    assert "until the new are loaded" in record.reason


def test_an_analysis_that_finds_the_same_is_heard_too() -> None:
    record = after(serving(), CHANGED, facts.analyzed(fingerprint="f2"))
    assert record.files_analysed
    assert not is_news(record, facts.analyzed(fingerprint="f2"))


def test_rejected_files_leave_what_is_served_and_say_why() -> None:
    before = serving()
    record = after(before, CHANGED, REJECTED)
    assert (record.state, record.generation, record.descriptor) == (S.LOADED, 1, before.descriptor)
    assert (record.files_analysed, record.files_rejected) == (False, True)
    assert record.reason == "its new files cannot be served, it serves the old ones: no weights"
    # Its agent says again that it serves.
    assert after(record, facts.loaded(1)).reason == record.reason


def test_files_that_are_as_before_again_need_no_other_engine() -> None:
    record = after(serving(), CHANGED, REJECTED, facts.discovered())
    assert (record.has_new_files, record.files_rejected, record.reason) == (False, False, "")
    assert after(record, facts.analyzed()).files_analysed


@pytest.mark.parametrize("events", [(CHANGED,), (CHANGED, REJECTED)])
@pytest.mark.parametrize("end", [facts.unloaded(), facts.failed()])
def test_files_that_are_not_known_to_be_servable_are_analysed_when_the_engine_ends(
    events: tuple[Event, ...], end: Event
) -> None:
    record = after(serving(), *events, end)
    assert (record.state, record.descriptor) == (S.DISCOVERED, None)
    record = after(record, ANALYZED)
    assert (record.state, record.descriptor) == (S.UNLOADED, WIDER)


def test_requests_go_to_the_engine_of_the_new_files_once_it_serves() -> None:
    record = after(serving(), CHANGED, ANALYZED, facts.loading(2))
    assert (record.state, record.generation, urls(record)) == (S.LOADED, 1, [OLD])
    record = after(record, SERVES_NEW)
    assert (record.state, record.generation, urls(record)) == (S.LOADED, 2, [NEW])
    assert (record.loaded_fingerprint, record.load_s, record.reason) == ("f2", 7.0, "")
    assert [(c.generation, c.state) for c in record.copies] == [(1, InstanceState.LOADED)]
    record = after(record, facts.unloading(1), facts.unloaded(1))
    assert (record.generation, record.copies, urls(record)) == (2, (), [NEW])


def test_an_engine_of_files_that_changed_while_it_loaded_gets_no_requests() -> None:
    third = facts.discovered(fingerprint="f3")
    record = after(serving(), CHANGED, ANALYZED, facts.loading(2), third, SERVES_NEW)
    assert (record.generation, urls(record)) == (1, [OLD])


def test_several_engines_of_old_files_share_the_requests_until_then() -> None:
    beside = facts.loaded(2, endpoint="http://127.0.0.1:9003")
    serves_new = facts.loaded(3, endpoint=NEW, fingerprint="f2")
    record = after(serving(), facts.loading(2), beside, CHANGED, ANALYZED, facts.loading(3))
    assert urls(record) == [OLD, "http://127.0.0.1:9003"]
    record = after(record, serves_new)
    assert (record.generation, urls(record)) == (3, [NEW])


def test_new_files_that_fail_to_load_are_noted_and_the_old_ones_served() -> None:
    failed = facts.failed(2, fingerprint="f2", reason="no kernel for it.")
    record = after(serving(), CHANGED, ANALYZED, facts.loading(2), failed)
    assert (record.state, record.generation, record.failures) == (S.LOADED, 1, 0)
    assert (record.failed_fingerprint, record.copies) == ("f2", ())
    assert record.copy_retry_at == NOW + timedelta(seconds=300)
    assert record.reason == (
        "its new files failed to load, it serves the old ones: no kernel for it"
    )
    assert from_hash(ModelRecord, to_hash(record)) == record
    # Others are tried at once.
    record = after(record, facts.discovered(fingerprint="f3"))
    assert (record.failed_fingerprint, record.copy_retry_at) == ("", None)


@pytest.mark.parametrize(
    "failed",
    [
        facts.failed(2, fingerprint="f2", kind=FailureKind.CANCELLED),
        facts.failed(2, fingerprint="f2", kind=FailureKind.LOST),
        facts.failed(2, fingerprint="f1"),
    ],
)
def test_other_failures_say_nothing_of_the_new_files(failed: Event) -> None:
    record = after(serving(), CHANGED, ANALYZED, facts.loading(2), failed)
    assert record.failed_fingerprint == ""
    assert "until the new are loaded" in record.reason


def test_when_the_engine_of_old_files_dies_the_new_one_is_waited_for() -> None:
    record = after(serving(), CHANGED, ANALYZED, facts.loading(2), facts.failed(1))
    assert (record.state, record.generation, record.copies) == (S.LOADING, 2, ())
    assert after(record, SERVES_NEW).state is S.LOADED
