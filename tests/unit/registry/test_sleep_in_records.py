"""What a record keeps of an engine's sleep, and of an engine that did not sleep well."""

from datetime import UTC, datetime
from typing import Any

import pytest

from modelium.common.events import RuntimeLoaded, RuntimeSleeping
from modelium.common.records import FailureKind, InstanceState, ModelRecord, ModelState
from modelium.common.testing import a_model_record, an_instance_record
from modelium.registry.instances import adopted, instance_of
from modelium.registry.news import Event, is_news
from modelium.registry.projection import apply

from . import facts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
S = ModelState
LEAKY = "Asleep the engine has freed 0 MiB of a device, 400 MiB were the least to expect"


def after(record: ModelRecord, *events: Event) -> ModelRecord:
    for event in events:
        if is_news(record, event):
            record = apply(record, event, NOW) or pytest.fail("the model was forgotten")
    return record


def asleep(**changes: Any) -> ModelRecord:
    return after(facts.a_loaded_record(), facts.unloading(), facts.sleeping(**changes))


def broken(**changes: Any) -> Event:
    fate = {"kind": FailureKind.SLEEP_FAILED, "reason": LEAKY, "fingerprint": "f1"}
    return facts.failed(**(fate | changes))


def test_a_sleeping_engine_is_shown_with_what_it_still_holds() -> None:
    record = asleep(sleep_level=2)
    assert (record.state, record.sleep_level) == (S.SLEEPING, 2)
    assert (record.asleep_bytes, record.resident_bytes) == (20, 20)
    assert (record.instance_id, record.reserved_bytes, record.endpoint) == ("qwen.1", 400, None)
    assert record.reason == "its weights are on disk only"


def test_an_engine_that_is_woken_is_known_as_one_until_it_serves() -> None:
    waking = after(asleep(), facts.loading())
    assert (waking.state, waking.sleep_level) == (S.LOADING, 1)
    awake = after(waking, facts.loaded(wake_s=0.5))
    assert (awake.state, awake.sleep_level, awake.wake_s) == (S.LOADED, 0, 0.5)
    assert awake.asleep_bytes == 20


def test_the_wake_time_is_kept_over_later_loads() -> None:
    record = after(asleep(), facts.loaded(wake_s=0.5), facts.unloaded(), facts.loaded(2))
    assert (record.wake_s, record.asleep_bytes, record.sleep_level) == (0.5, 20, 0)


def test_what_a_wake_took_is_kept_with_its_level() -> None:
    first = after(asleep(sleep_s=2.0), facts.loaded(wake_s=0.5))
    assert (first.slept_at_level, first.sleep_s, first.wake_s) == (1, 2.0, 0.5)
    again = after(first, facts.unloading(), facts.sleeping(sleep_s=3.0))
    assert (again.sleep_s, again.wake_s) == (3.0, 0.5)
    deeper = after(first, facts.unloading(), facts.sleeping(sleep_level=2, sleep_s=0.1))
    assert (deeper.slept_at_level, deeper.sleep_s, deeper.wake_s) == (2, 0.1, None)


def test_a_load_of_another_engine_is_not_a_wake() -> None:
    assert after(asleep(), facts.loading(2)).sleep_level == 0


@pytest.mark.parametrize("end", [facts.unloaded(), facts.failed(), broken()])
def test_an_ended_engine_does_not_sleep(end: Event) -> None:
    assert after(asleep(), end).sleep_level == 0


def test_an_engine_that_slept_badly_is_not_put_to_sleep_again_but_may_load_at_once() -> None:
    record = after(facts.a_loaded_record(), facts.unloading(), broken())
    assert (record.state, record.sleepless, record.reason) == (S.ERROR, LEAKY, LEAKY)
    assert (record.failures, record.retry_at, record.ended_generation) == (0, None, 1)
    again = after(record, facts.loading(2), facts.loaded(2))
    assert (again.state, again.sleepless) == (S.LOADED, LEAKY)


def test_an_engine_of_older_files_says_nothing_about_the_new_ones() -> None:
    replaced = after(facts.a_loaded_record(), facts.discovered(fingerprint="f2"))
    assert after(replaced, broken()).sleepless == ""


KNOWN = {"wake_s": 0.5, "asleep_bytes": 20, "sleepless": LEAKY}


@pytest.mark.parametrize("news", [facts.discovered, facts.analyzed])
def test_new_files_begin_without_what_was_learned_of_the_old(news: Any) -> None:
    before = a_model_record(state=S.ERROR, **KNOWN)
    record = after(before, news(fingerprint="f2"))
    assert (record.wake_s, record.asleep_bytes, record.sleepless) == (None, 0, "")


def test_the_same_files_read_anew_keep_it() -> None:
    before = a_model_record(state=S.DISCOVERED, **KNOWN)
    record = after(before, facts.analyzing(), facts.analyzed())
    assert (record.wake_s, record.asleep_bytes, record.sleepless) == (0.5, 20, LEAKY)


def test_a_lost_record_of_a_sleeping_engine_is_made_anew_from_a_heartbeat() -> None:
    before = asleep(fingerprint="f1", load_s=4.5, wake_s=0.5, sleep_level=2)
    seen = instance_of(before)
    assert seen is not None
    fact = adopted(a_model_record(), seen, seen_at=NOW)
    assert isinstance(fact, RuntimeSleeping)
    anew = after(a_model_record(), fact)
    for name in ("state", "sleep_level", "asleep_bytes", "reserved_bytes", "load_s", "wake_s"):
        assert getattr(anew, name) == getattr(before, name)
    assert anew.loaded_fingerprint == "f1"


def test_a_woken_engine_is_adopted_with_its_wake_time() -> None:
    awake = an_instance_record(state=InstanceState.LOADED, endpoint="http://e", wake_s=0.5)
    fact = adopted(a_model_record(), awake, seen_at=NOW)
    assert isinstance(fact, RuntimeLoaded)
    assert fact.wake_s == 0.5
