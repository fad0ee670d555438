"""What an engine's end says of its model's next load."""

from datetime import UTC, datetime, timedelta

import pytest

from modelium.common.records import LIVE_STATES, FailureKind, ModelRecord, ModelState
from modelium.common.testing import a_model_record
from modelium.registry.failing import NO_ROOM_RETRY_S, STEADY_S, retry_delay_s
from modelium.registry.news import Event, is_news
from modelium.registry.projection import apply

from . import facts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
S = ModelState


def at(state: ModelState, **changes: object) -> ModelRecord:
    """`qwen` in this state, with an engine of generation 1 where the state has one."""
    make = facts.a_loaded_record if state in LIVE_STATES else a_model_record
    return make(**({"state": state} | changes))


def after(record: ModelRecord, *events: Event, now: datetime = NOW) -> ModelRecord:
    for event in events:
        assert is_news(record, event)
        changed = apply(record, event, now)
        assert changed is not None
        record = changed
    return record


def test_failures_in_a_row_wait_longer_each_time() -> None:
    record = after(at(S.LOADING, failures=2), facts.failed())
    assert (record.failures, record.retry_at) == (3, NOW + timedelta(seconds=40))
    assert record.reason.endswith("no new attempt for 40 s")
    assert record.ended_generation == 1


@pytest.mark.parametrize(
    ("failures", "delay_s"), [(1, 10), (2, 20), (5, 160), (6, 300), (999, 300)]
)
def test_the_backoff_doubles_up_to_five_minutes(failures: int, delay_s: float) -> None:
    assert retry_delay_s(failures) == delay_s


def test_an_engine_that_dies_soon_after_it_was_ready_waits_longer_each_time() -> None:
    # A load that worked once forgave all: such a crash loop went round every ten seconds.
    record = at(S.ERROR, generation=0)
    waits = []
    for generation in (1, 2, 3):
        record = after(record, facts.loading(generation), facts.loaded(generation))
        record = after(record, facts.failed(generation), now=NOW + timedelta(seconds=STEADY_S - 1))
        assert record.retry_at is not None
        waits.append((record.retry_at - NOW).total_seconds() - (STEADY_S - 1))
    assert waits == [10, 20, 40]


@pytest.mark.parametrize(
    ("kind", "expected"), [(FailureKind.CRASHED, (1, 0)), (FailureKind.OUT_OF_MEMORY, (1, 1))]
)
def test_an_engine_that_has_served_for_long_has_made_good(
    kind: FailureKind, expected: tuple[int, int]
) -> None:
    record = after(at(S.LOADING, failures=5, out_of_memory=4), facts.loaded())
    ended = after(record, facts.failed(kind=kind), now=NOW + timedelta(seconds=STEADY_S))
    assert (ended.failures, ended.out_of_memory) == expected


def test_an_engine_that_was_unloaded_or_slept_has_made_good() -> None:
    record = after(at(S.LOADING, failures=5, out_of_memory=4), facts.loaded())
    for ended in ((facts.unloading(), facts.unloaded()), (facts.unloading(), facts.sleeping())):
        forgiven = after(record, *ended)
        assert (forgiven.failures, forgiven.out_of_memory, forgiven.retry_at) == (0, 0, None)


def test_a_load_that_was_cancelled_by_an_unload_has_proved_nothing() -> None:
    ended = after(at(S.LOADING, failures=5, out_of_memory=1), facts.unloading(), facts.unloaded())
    assert (ended.failures, ended.out_of_memory) == (5, 1)


def test_want_of_memory_is_tried_against_twice_at_once_then_it_is_an_error() -> None:
    record, seen = at(S.UNLOADED), []
    for generation in (1, 2, 3, 4):
        record = after(record, facts.loading(generation), facts.out_of_memory(generation))
        wait_s = record.retry_at and (record.retry_at - NOW).total_seconds()
        seen.append((record.out_of_memory, wait_s, record.reason.rpartition("; ")[2]))
    assert record.state is S.ERROR
    assert seen == [
        (1, None, "the next load gets a smaller cache or more memory"),
        (2, None, "the next load gets more memory"),
        (3, 40, "no new attempt for 40 s"),
        (4, 80, "no new attempt for 80 s"),
    ]


def test_an_engine_that_runs_out_of_memory_whenever_it_serves_is_an_error_too() -> None:
    record = at(S.UNLOADED)
    for generation in (1, 2, 3):
        engine = facts.loading(generation), facts.loaded(generation)
        record = after(record, *engine, facts.out_of_memory(generation))
    assert record.retry_at == NOW + timedelta(seconds=40)


@pytest.mark.parametrize("kind", [FailureKind.CANCELLED, FailureKind.LOST])
def test_a_cancelled_load_and_a_lost_agent_give_no_penalty(kind: FailureKind) -> None:
    record = after(at(S.LOADING), facts.failed(kind=kind, reason="its agent is silent"))
    assert (record.failures, record.retry_at) == (0, None)
    assert record.reason == "its agent is silent"


def test_a_load_that_found_no_room_is_tried_again_soon_but_not_at_once() -> None:
    """At once, whoever does not know what holds the memory would begin a load each second."""
    record = after(at(S.LOADING), facts.failed(kind=FailureKind.NO_ROOM, reason="it is held"))
    assert (record.failures, record.retry_at) == (0, NOW + timedelta(seconds=NO_ROOM_RETRY_S))
    assert record.reason == "it is held; no new attempt for 5 s"


def test_new_files_forgive() -> None:
    broken = at(S.ERROR, failures=4, out_of_memory=3, retry_at=NOW)
    healed = after(broken, facts.discovered(fingerprint="f2"))
    assert (healed.failures, healed.out_of_memory, healed.retry_at) == (0, 0, None)
