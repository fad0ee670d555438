"""What facts about several engines of one model make of its record."""

from datetime import UTC, datetime, timedelta

from modelium.common import events as ev
from modelium.common.hash_codec import from_hash, to_hash
from modelium.common.records import (
    FailureKind,
    Instance,
    InstanceState,
    ModelRecord,
    ModelState,
)
from modelium.registry.instances import adopted
from modelium.registry.news import is_news
from modelium.registry.projection import apply
from tests.unit.registry import facts

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FIRST, SECOND = "http://127.0.0.1:9001", "http://127.0.0.1:9002"


def after(record: ModelRecord, *events: ev.RuntimeEvent, now: datetime = NOW) -> ModelRecord:
    for event in events:
        if is_news(record, event):
            changed = apply(record, event, now)
            assert changed is not None
            record = changed
    return record


def two() -> ModelRecord:
    """Engines 1 and 2 serve."""
    record = facts.a_loaded_record(1, loaded_at=NOW - timedelta(hours=1))
    second = {"device_ids": ("cpu-local-1",)}
    return after(
        record, facts.loading(2, **second), facts.loaded(2, endpoint=SECOND, **second), now=NOW
    )


def urls(record: ModelRecord) -> list[str]:
    return [endpoint.url for endpoint in record.endpoints]


def test_an_engine_that_begins_beside_another_changes_nothing_until_it_serves() -> None:
    record = after(facts.a_loaded_record(1), facts.loading(2))
    assert (record.state, record.generation, urls(record)) == (ModelState.LOADED, 1, [FIRST])
    assert [(c.generation, c.state) for c in record.copies] == [(2, InstanceState.LOADING)]
    record = after(record, facts.loaded(2, endpoint=SECOND))
    assert (record.state, record.generation, urls(record)) == (
        ModelState.LOADED,
        1,
        [FIRST, SECOND],
    )


def test_a_crash_of_one_of_two_leaves_the_model_loaded() -> None:
    for crashed, left in ((1, SECOND), (2, FIRST)):
        record = after(two(), facts.failed(crashed))
        assert (record.state, record.reason, urls(record)) == (ModelState.LOADED, "", [left])
        assert record.endpoint == left
        assert record.copies == ()
        assert record.retry_at is None
        assert record.copy_retry_at == NOW + timedelta(seconds=10 if crashed == 1 else 300)


def test_all_of_the_engine_that_takes_over_is_shown_as_it_was_told() -> None:
    record = after(two(), facts.failed(1))
    assert (record.instance_id, record.device_ids) == ("qwen.2", ("cpu-local-1",))
    assert (record.reserved_bytes, record.resident_bytes, record.loaded_at) == (400, 300, NOW)
    assert record.loaded_fingerprint == "f1"


def test_one_that_drains_gets_nothing_new_and_the_other_goes_on() -> None:
    for draining, left in ((1, SECOND), (2, FIRST)):
        record = after(two(), facts.unloading(draining))
        assert (record.state, urls(record)) == (ModelState.LOADED, [left])
        assert [(c.generation, c.state) for c in record.copies] == [
            (draining, InstanceState.UNLOADING)
        ]
        ended = after(record, facts.unloaded(draining))
        assert (ended.state, ended.copies, urls(ended)) == (ModelState.LOADED, (), [left])


def test_when_all_have_ended_the_model_is_unloaded_whichever_was_last() -> None:
    for order in ((1, 2), (2, 1)):
        told = [facts.unloading(n) for n in order] + [facts.unloaded(n) for n in order]
        record = after(two(), *told)
        assert (record.state, record.copies, urls(record)) == (ModelState.UNLOADED, (), [])
        assert max(record.newest_generation, record.ended_generation) == 2


def test_facts_of_engines_that_have_ended_change_nothing() -> None:
    for ended in (1, 2):
        record = after(two(), facts.failed(ended))
        for late in (facts.loaded(ended), facts.loading(ended), facts.failed(ended)):
            assert not is_news(record, late)


def test_an_older_engine_that_is_left_is_heard_to_its_end() -> None:
    record = after(two(), facts.unloading(1), facts.failed(2))
    assert (record.state, record.generation) == (ModelState.UNLOADING, 1)
    record = after(record, facts.unloaded(1))
    assert record.state is ModelState.UNLOADED
    assert not is_news(record, facts.loaded(2))
    assert is_news(record, facts.loading(3))


def test_a_copy_that_fails_is_not_tried_again_at_once_and_costs_its_model_nothing() -> None:
    waits = {FailureKind.CRASHED: 300, FailureKind.CANCELLED: 10, FailureKind.LOST: None}
    waits[FailureKind.NO_ROOM] = 10
    for kind, wait_s in waits.items():
        record = after(two(), facts.failed(2, kind=kind))
        assert record.copy_retry_at == (wait_s and NOW + timedelta(seconds=wait_s))
        assert (record.failures, record.retry_at) == (0, None)


def test_a_load_beside_another_that_never_began_costs_its_model_nothing() -> None:
    record = after(facts.a_loaded_record(1), facts.failed(2, kind=FailureKind.CANCELLED))
    assert (record.state, record.copies, record.newest_generation) == (ModelState.LOADED, (), 2)


def test_a_load_under_way_is_what_is_left_of_a_model_whose_engine_crashes() -> None:
    record = after(facts.a_loaded_record(1), facts.loading(2), facts.failed(1))
    assert (record.state, record.instance_id, urls(record)) == (ModelState.LOADING, "qwen.2", [])
    record = after(record, facts.loaded(2, endpoint=SECOND))
    assert (record.state, urls(record)) == (ModelState.LOADED, [SECOND])


def reported(generation: int, state: InstanceState, endpoint: str | None) -> Instance:
    return Instance(
        instance_id=f"qwen.{generation}",
        model="qwen",
        agent_id="local",
        device_ids=("cpu-local-1",),
        generation=generation,
        state=state,
        endpoint=endpoint,
    )


def test_heartbeats_bring_back_all_engines_that_a_lost_store_has_forgotten() -> None:
    later = NOW + timedelta(minutes=1)
    record = facts.a_loaded_record(1)
    fact = adopted(record, reported(2, InstanceState.LOADED, SECOND), seen_at=later)
    assert fact is not None
    record = after(record, fact)
    assert urls(record) == [FIRST, SECOND]
    for known in (
        reported(1, InstanceState.LOADED, FIRST),
        reported(2, InstanceState.LOADED, SECOND),
    ):
        assert adopted(record, known, seen_at=later) is None


def test_heartbeats_do_not_bring_back_what_has_ended_beside_another() -> None:
    record = after(two(), facts.failed(2))
    later = NOW + timedelta(minutes=1)
    assert adopted(record, reported(2, InstanceState.LOADED, SECOND), seen_at=later) is None


def test_a_model_whose_files_are_gone_is_forgotten_with_its_last_engine() -> None:
    removed = apply(two(), facts.removed(), NOW)
    assert removed is not None
    left = after(removed, facts.unloading(1), facts.unloading(2), facts.unloaded(1))
    assert left.removed
    assert apply(left, facts.unloaded(2), NOW) is None


def test_copies_are_kept_by_the_store_as_they_are() -> None:
    record = two()
    assert from_hash(ModelRecord, to_hash(record)) == record
