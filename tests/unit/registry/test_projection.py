"""What each event makes of a record, as tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelium.common.errors import IllegalTransition
from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import LIVE_STATES, FailureKind, ModelRecord, ModelState
from modelium.common.testing import a_descriptor, a_model_record
from modelium.registry.news import Event, is_news
from modelium.registry.projection import after_decision, apply

from . import facts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
S = ModelState


def at(state: ModelState, **changes: Any) -> ModelRecord:
    """`qwen` in this state, with an engine of generation 1 where the state has one."""
    make = facts.a_loaded_record if state in LIVE_STATES else a_model_record
    return make(**({"state": state} | changes))


def after(record: ModelRecord | None, *events: Event, now: datetime = NOW) -> ModelRecord | None:
    """The record after these events, as the handlers apply them."""
    for event in events:
        if is_news(record, event):
            record = apply(record, event, now)
    return record


def kept(record: ModelRecord | None, *events: Event) -> ModelRecord:
    result = after(record, *events)
    assert result is not None
    return result


def test_when_it_was_discovered_stays_whatever_happens_then() -> None:
    first = kept(None, facts.discovered())
    assert first.discovered_at == NOW
    later = after(first, facts.analyzing(), facts.analyzed(), now=NOW + timedelta(hours=1))
    later = after(later, facts.discovered(fingerprint="f2"), now=NOW + timedelta(hours=2))
    assert later and later.discovered_at == NOW
    lacking = at(S.DISCOVERED)  # of before records had it
    assert kept(lacking, facts.analyzing()).discovered_at == NOW


NOT_NEWS: list[tuple[str, ModelRecord | None, Event]] = [
    ("a path without a name is completed by the watcher", None, facts.discovered(model=None)),
    ("nor without a fingerprint", None, facts.discovered(fingerprint="")),
    ("an analysis of a forgotten model", None, facts.analyzed()),
    ("an engine of a forgotten model", None, facts.loaded()),
    ("the same files again", at(S.UNLOADED), facts.discovered()),
    ("the same files of a rejected model", at(S.REJECTED), facts.discovered()),
    ("another folder of the same name", at(S.UNLOADED), facts.discovered(path="/b/qwen")),
    ("its rejection", at(S.UNLOADED), facts.rejected(path="/b/qwen")),
    ("its removal", at(S.UNLOADED), facts.removed(path="/b/qwen")),
    ("a repeated beginning of the analysis", at(S.UNLOADED), facts.analyzing()),
    ("an analysis of files changed since", at(S.ANALYZING), facts.analyzed(fingerprint="f0")),
    ("a rejection of files changed since", at(S.ANALYZING), facts.rejected(fingerprint="f0")),
    ("a repeated analysis", at(S.UNLOADED), facts.analyzed()),
    ("a repeated analysis does not heal", at(S.ERROR), facts.analyzed()),
    ("a repeated rejection", at(S.REJECTED, reason="no weights"), facts.rejected()),
    ("a repeated removal", at(S.LOADED, removed=True), facts.removed()),
    ("a load that has ended", at(S.UNLOADED, ended_generation=2), facts.loaded(2)),
    ("a load that was superseded", at(S.LOADING, generation=3), facts.loaded(2)),
    ("a failure of a superseded load", at(S.LOADED, generation=3), facts.failed(2)),
    ("a repeated start of what is loaded", at(S.LOADED), facts.loading()),
    ("a loss of what is not there", at(S.UNLOADED), facts.failed(kind=FailureKind.LOST)),
    ("a repeated loss", at(S.ERROR, generation=1), facts.failed(kind=FailureKind.LOST)),
]


@pytest.mark.parametrize(("case", "record", "event"), NOT_NEWS, ids=[row[0] for row in NOT_NEWS])
def test_what_changes_nothing_is_not_news(
    case: str, record: ModelRecord | None, event: Event
) -> None:
    assert not is_news(record, event)


STATES: list[tuple[ModelState | None, Event, ModelState | None]] = [
    (None, facts.discovered(), S.DISCOVERED),
    (S.DISCOVERED, facts.analyzing(), S.ANALYZING),
    (S.ANALYZING, facts.analyzed(), S.UNLOADED),
    (S.ANALYZING, facts.rejected(), S.REJECTED),
    (S.UNLOADED, facts.discovered(fingerprint="f2"), S.DISCOVERED),
    (S.UNLOADED, facts.loading(), S.LOADING),
    (S.LOADING, facts.loaded(), S.LOADED),
    (S.LOADED, facts.sleeping(), S.SLEEPING),
    (S.SLEEPING, facts.loading(), S.LOADING),
    (S.LOADED, facts.unloading(), S.UNLOADING),
    (S.UNLOADING, facts.unloaded(), S.UNLOADED),
    (S.LOADING, facts.failed(), S.ERROR),
    (S.ERROR, facts.loading(2), S.LOADING),
    (S.ERROR, facts.discovered(fingerprint="f2"), S.DISCOVERED),
    (S.REJECTED, facts.discovered(fingerprint="f2"), S.DISCOVERED),
    (S.REJECTED, facts.discovered(path="/b/qwen"), S.DISCOVERED),
    (S.ERROR, facts.analyzed(fingerprint="f2"), S.UNLOADED),
    (S.UNLOADED, facts.removed(), None),
    (S.REJECTED, facts.removed(), None),
    (S.LOADED, facts.removed(), S.LOADED),
    (S.DISCOVERED, facts.loaded(), S.LOADED),
]


@pytest.mark.parametrize(("state", "event", "expected"), STATES)
def test_events_lead_to_states(
    state: ModelState | None, event: Event, expected: ModelState | None
) -> None:
    before = at(state) if state else None
    assert is_news(before, event)
    result = apply(before, event, NOW)
    assert (result.state if result else None) == expected


def test_every_event_that_the_lifecycle_does_not_allow_raises() -> None:
    with pytest.raises(IllegalTransition):
        apply(at(S.LOADING), facts.sleeping(), NOW)


def test_discovery_starts_without_a_descriptor_and_says_why_it_does_not_serve() -> None:
    record = kept(None, facts.discovered(size_bytes=99))
    assert (record.path, record.fingerprint, record.size_bytes) == ("/models/qwen", "f1", 99)
    assert record.reason == "waiting for its files to be analysed"


@pytest.mark.parametrize(
    ("state", "event", "reason"),
    [
        (S.DISCOVERED, facts.analyzing(), "analysing its files"),
        (S.ANALYZING, facts.analyzed(), "not requested yet"),
        (S.ANALYZING, facts.rejected(), "no weights"),
        (S.UNLOADED, facts.loading(), "its engine starts on cpu-local-0"),
        (S.LOADING, facts.loaded(), ""),
        (S.LOADED, facts.unloading(reason="idle for 30 min"), "draining: idle for 30 min"),
        (S.LOADED, facts.unloading(), "draining before it is stopped"),
        (S.UNLOADING, facts.unloaded(reason="idle"), "its engine was stopped: idle"),
        (S.UNLOADING, facts.unloaded(), "not requested since its engine was stopped"),
        (S.LOADED, facts.sleeping(), "its weights are in host memory"),
        (S.LOADING, facts.failed(reason="No memory."), "No memory; no new attempt for 10 s"),
    ],
)
def test_each_state_carries_its_reason(state: ModelState, event: Event, reason: str) -> None:
    record = kept(at(state), event)
    assert record.reason == reason
    assert record.state.value not in reason  # it is shown beside it


def test_a_loaded_model_shows_its_engine_and_waits_for_nothing() -> None:
    record = kept(at(S.LOADING, failures=3, retry_at=NOW), facts.loaded())
    assert (record.endpoint, record.load_s) == ("http://127.0.0.1:9001", 4.5)
    assert (record.reserved_bytes, record.resident_bytes) == (400, 300)
    assert (record.loaded_fingerprint, record.loaded_at) == ("f1", NOW)
    assert (record.failures, record.retry_at) == (3, None)


def test_only_a_loaded_engine_gets_requests() -> None:
    loading = at(S.LOADING)
    loaded = kept(loading, facts.loaded(device_ids=("gpu-0", "gpu-1")))
    (engine,) = loaded.endpoints
    assert (engine.instance_id, engine.generation) == (loaded.instance_id, 1)
    assert (engine.url, engine.device_count) == ("http://127.0.0.1:9001", 2)
    for ended in (facts.unloading(), facts.sleeping(), facts.failed()):
        assert kept(loaded, ended).endpoints == ()
    assert loading.endpoints == ()


def test_a_loaded_engine_said_again_keeps_its_residency_and_its_load_time() -> None:
    first = kept(at(S.LOADING), facts.loaded())
    again = after(first, facts.loaded(load_s=None), now=NOW + timedelta(seconds=60))
    assert again == first


def test_an_unloaded_model_shows_no_engine_and_its_generation_is_over() -> None:
    record = kept(at(S.UNLOADING), facts.unloaded())
    assert (record.generation, record.ended_generation) == (1, 1)
    assert (record.instance_id, record.agent_id, record.endpoint) == (None, None, None)
    assert (record.device_ids, record.reserved_bytes, record.resident_bytes) == ((), 0, 0)
    assert not is_news(record, facts.loaded())


def test_an_engine_whose_agent_was_lost_is_shown_again_when_it_comes_back() -> None:
    lost = kept(at(S.LOADED), facts.failed(kind=FailureKind.LOST, reason="agent silent"))
    assert (lost.state, lost.ended_generation, lost.agent_id) == (S.ERROR, 0, None)
    assert kept(lost, facts.loaded()).state == S.LOADED


def test_a_lost_engine_that_was_replaced_stays_lost() -> None:
    replaced = kept(at(S.LOADED), facts.failed(kind=FailureKind.LOST), facts.loading(2))
    assert after(replaced, facts.loaded(1)) == replaced


def test_new_files_heal_an_error() -> None:
    broken = at(S.ERROR, failures=4, retry_at=NOW, reason="exit code 1")
    healed = kept(broken, facts.discovered(fingerprint="f2"), facts.analyzed(fingerprint="f2"))
    assert (healed.state, healed.failures, healed.retry_at) == (S.UNLOADED, 0, None)
    assert healed.reason == "not requested yet"


def test_a_live_model_whose_files_go_is_forgotten_with_its_engine() -> None:
    marked = kept(at(S.LOADED), facts.removed())
    assert (marked.state, marked.removed) == (S.LOADED, True)
    draining = kept(marked, facts.unloading())
    assert draining.removed
    assert after(draining, facts.unloaded()) is None
    assert after(marked, facts.failed()) is None


def test_files_that_come_back_while_the_engine_runs_keep_the_model() -> None:
    record = kept(at(S.LOADED), facts.removed(), facts.discovered(fingerprint="f2"))
    assert (record.removed, record.fingerprint, record.loaded_fingerprint) == (False, "f2", "f1")
    assert after(record, facts.unloading(), facts.unloaded()) is not None


def test_new_files_of_a_live_model_change_what_is_known_but_not_its_state() -> None:
    wider = a_descriptor(context_length=8192)
    record = kept(
        at(S.LOADED),
        facts.discovered(fingerprint="f2"),
        facts.analyzing(fingerprint="f2"),
        facts.analyzed(fingerprint="f2", descriptor=wider),
    )
    assert (record.state, record.descriptor, record.files_analysed) == (S.LOADED, wider, True)
    assert (
        record.reason == "its files have changed; it serves the old ones until the new are loaded"
    )


@pytest.mark.parametrize("end", [facts.unloaded(), facts.failed()])
def test_a_live_model_whose_new_files_were_rejected_is_analysed_anew_at_its_end(
    end: Event,
) -> None:
    record = kept(
        at(S.LOADED),
        facts.discovered(fingerprint="f2"),
        facts.rejected(fingerprint="f2"),
        end,
    )
    assert (record.state, record.descriptor) == (S.DISCOVERED, None)
    assert kept(record, facts.rejected(fingerprint="f2")).state == S.REJECTED


def test_an_end_of_an_unknown_engine_only_has_its_generation_noted() -> None:
    record = kept(at(S.UNLOADED, reason="not requested yet"), facts.unloaded(7))
    assert (record.state, record.ended_generation) == (S.UNLOADED, 7)
    assert record.reason == "not requested yet"


def queue(**changes: Any) -> Decision:
    wait = {"model": "qwen", "action": DecidedAction.QUEUE, "reason": "needs 18.8 GiB"}
    return Decision.model_validate(wait | changes)


def test_a_waiting_model_shows_why_it_waits() -> None:
    result = after_decision(queue(), at(S.UNLOADED))
    assert result is not None
    assert result.reason == "needs 18.8 GiB"


@pytest.mark.parametrize(
    ("record", "decision"),
    [
        (at(S.LOADED), queue()),
        (at(S.LOADING), queue()),
        (at(S.UNLOADED), queue(action=DecidedAction.KEEP)),
        (at(S.UNLOADED), queue(dropped_by="pinned")),
        (None, queue()),
    ],
)
def test_other_decisions_leave_the_record_as_it_is(
    record: ModelRecord | None, decision: Decision
) -> None:
    assert after_decision(decision, record) is record


@pytest.mark.parametrize("news", [facts.discovered(fingerprint="f2"), facts.loading()])
def test_new_files_or_a_load_end_the_refusal_of_a_model(news: Event) -> None:
    assert not kept(a_model_record(refused=True), news).refused
