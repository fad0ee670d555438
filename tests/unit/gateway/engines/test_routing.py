"""Which record leads where, which of two records counts, and how far a model is from serving."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelium.common.records import InstanceEndpoint, ModelRecord, ModelState
from modelium.common.testing import a_model_record
from modelium.gateway.engines.expected import DEFAULT_LOAD_S
from modelium.gateway.engines.outcomes import Failed, Refused, Route, Unknown, Waiting
from modelium.gateway.engines.routing import RouteTable

T0 = datetime(2026, 1, 1, tzinfo=UTC)
URL = "http://e:1"


def record(version: int = 1, **changes: Any) -> ModelRecord:
    at = T0 + timedelta(seconds=version)
    return a_model_record(**{"version": version, "updated_at": at, **changes})


def loaded(version: int = 1, generation: int = 1, **changes: Any) -> ModelRecord:
    state = ModelState.LOADED
    return record(version, state=state, endpoint=URL + "/", generation=generation, **changes)


def at(generation: int) -> InstanceEndpoint:
    return InstanceEndpoint(instance_id=f"qwen.{generation}", generation=generation, url=URL)


def table(*records: ModelRecord) -> RouteTable:
    table = RouteTable()
    for one in records:
        table.apply(one, 0)
    return table


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"state": ModelState.DISCOVERED}, Waiting()),
        ({"state": ModelState.ANALYZING}, Waiting()),
        ({"state": ModelState.UNLOADED}, Waiting()),
        ({"state": ModelState.LOADING, "endpoint": URL}, Waiting()),
        ({"state": ModelState.SLEEPING, "endpoint": URL}, Waiting()),
        ({"state": ModelState.UNLOADING, "endpoint": URL}, Waiting()),
        ({"state": ModelState.LOADED, "endpoint": URL, "generation": 4}, Route((at(4),))),
        (
            {"state": ModelState.LOADED, "endpoint": URL, "endpoints": (at(4), at(5))},
            Route((at(4), at(5))),
        ),
        ({"state": ModelState.UNLOADING, "endpoints": (at(4),)}, Waiting()),
        ({"state": ModelState.LOADED, "endpoint": None}, Waiting()),
        ({"state": ModelState.REJECTED, "reason": "why"}, Refused("why")),
        ({"state": ModelState.LOADED, "endpoint": URL, "removed": True}, Unknown()),
    ],
)
def test_every_state_leads_somewhere(changes: dict[str, Any], outcome: object) -> None:
    assert table(record(**changes)).route("qwen") == outcome


def test_an_error_carries_its_record() -> None:
    failed = record(state=ModelState.ERROR)
    assert table(failed).route("qwen") == Failed(failed)


def test_a_model_nobody_told_of_is_unknown() -> None:
    assert table().route("qwen") == Unknown()


def test_an_older_version_changes_nothing() -> None:
    known = table(loaded(version=5))
    assert not known.apply(record(version=4), 0)
    assert isinstance(known.route("qwen"), Route)


def test_the_same_version_again_changes_nothing() -> None:
    assert not table(record(5)).apply(record(5), 0)


def test_a_lower_version_saved_later_is_newer_because_the_store_began_again() -> None:
    known = table(record(version=50))
    reborn = loaded(version=1).model_copy(update={"updated_at": T0 + timedelta(hours=1)})
    assert known.apply(reborn, 0)
    assert known.routed_generations("qwen") == (1,)


def test_replace_forgets_what_is_no_longer_stored() -> None:
    known = table(record(), record(model="gone"))
    changed = known.replace([record(2)], known.versions(), 0)
    assert changed == {"qwen", "gone"}
    assert known.route("gone") == Unknown()


def test_replace_keeps_what_was_announced_while_the_store_was_read() -> None:
    known = table(record())
    before = known.versions()
    known.apply(record(model="new"), 0)
    known.apply(loaded(version=7), 0)
    assert known.replace([record(2)], before, 0) == set()
    assert known.versions() == {"qwen": 7, "new": 1}


def test_replace_keeps_all_when_the_store_has_lost_its_data() -> None:
    known = table(loaded())
    assert known.replace([], known.versions(), 0) == set()
    assert known.routed_generations("qwen") == (1,)


def backing_off(for_s: float) -> dict[str, Any]:
    return {"state": ModelState.ERROR, "retry_at": T0 + timedelta(seconds=for_s)}


ASLEEP = {"state": ModelState.SLEEPING, "sleep_level": 1}


@pytest.mark.parametrize(
    ("changes", "eta_s"),
    [
        ({"state": ModelState.UNLOADED}, round(DEFAULT_LOAD_S)),
        ({"state": ModelState.UNLOADED, "load_s": 12.4}, 12),
        ({"state": ModelState.LOADING, "load_s": 12.0}, 7),  # five seconds have passed
        ({"state": ModelState.LOADING, "load_s": 4.5}, 1),  # late, but not there
        ({"state": ModelState.LOADING, "load_s": 1.0}, 2),  # late by four seconds
        ({**ASLEEP, "load_s": 40.0, "wake_s": 3.2}, 3),
        ({**ASLEEP, "load_s": 40.0}, 6),  # it was never woken
        ({**ASLEEP, "load_s": 4.0}, 4),  # then no wake takes longer than its load
        ({**ASLEEP, "state": ModelState.LOADING, "load_s": 40.0, "wake_s": 9.0}, 4),  # is woken
        ({"state": ModelState.UNLOADED, "load_s": 40.0, "wake_s": 3.2}, 40),  # sleeps no more
        ({"state": ModelState.LOADED, "endpoint": URL}, 0),
        ({"state": ModelState.REJECTED}, None),
        ({**backing_off(200), "load_s": 5.0}, 205),
        ({**backing_off(-1), "load_s": 5.0}, 5),
        ({**backing_off(200), "state": ModelState.UNLOADED, "load_s": 5.0}, 5),  # it was undone
    ],
)
def test_eta(changes: dict[str, Any], eta_s: int | None) -> None:
    known = RouteTable()
    known.apply(record(**changes), 100)
    assert known.eta_s("qwen", 105, T0) == eta_s


def test_a_first_load_is_expected_to_take_as_long_as_others_did() -> None:
    known = RouteTable()
    known.apply(record(), 100)
    assert known.eta_s("qwen", 100, T0) == DEFAULT_LOAD_S
    for number, load_s in enumerate((2.0, 9.0, 3.0)):
        known.apply(record(model=f"other-{number}", load_s=load_s), 100)
    assert known.eta_s("qwen", 100, T0) == 3
    known.apply(record(2, model="other-2", load_s=12.0), 100)
    assert known.eta_s("qwen", 100, T0) == 9
    known.forget("other-1")
    assert known.eta_s("qwen", 100, T0) == 12


def test_eta_counts_from_when_the_load_began_not_from_its_last_record() -> None:
    known = RouteTable()
    known.apply(record(1, state=ModelState.LOADING, load_s=20.0), 100)
    known.apply(record(2, state=ModelState.LOADING, load_s=20.0), 110)
    assert known.eta_s("qwen", 115, T0) == 5


def among(*others: ModelRecord) -> RouteTable:
    """`qwen` is not loaded, and takes 10 s; 5 s have passed at 105."""
    known = RouteTable()
    for one in (record(load_s=10.0), *others):
        known.apply(one, 100)
    return known


LOADING = {"state": ModelState.LOADING, "load_s": 20.0, "device_ids": ("gpu-0",)}


@pytest.mark.parametrize(
    ("others", "ahead", "eta_s"),
    [
        ([], [], 10),
        ([record(model="a", **LOADING)], [], 25),  # 15 are left of its load
        ([record(model="a", **LOADING)], ["a"], 25),  # counted once
        ([record(model="a", **LOADING), loaded(model="b", device_ids=("gpu-1",))], [], 10),
        ([record(model="a", load_s=3.0), record(model="b", load_s=4.0)], ["b", "a"], 17),
        ([record(model="a", **LOADING), record(model="b", load_s=4.0)], ["b"], 29),
        ([loaded(model="a"), record(model="b", refused=True)], ["a", "b", "gone"], 10),
        (
            [
                record(model="a", **LOADING),
                loaded(model="b", device_ids=("gpu-1",)),
                record(model="c", load_s=4.0),
            ],
            ["c"],
            14,  # on the second device, which is free first
        ),
    ],
)
def test_eta_counts_the_loads_that_come_before(
    others: list[ModelRecord], ahead: list[str], eta_s: int
) -> None:
    assert among(*others).eta_s("qwen", 105, T0, ahead) == eta_s


@pytest.mark.parametrize(
    ("first_s", "own_s", "eta_s"),
    [
        (-1, -1, 17),  # it is its turn, and it takes 7 s
        (30, -1, 10),  # nobody waits for its back-off
        (30, 60, 70),  # done before this one may begin
        (55, 60, 72),
    ],
)
def test_eta_counts_a_failed_model_that_is_waited_for(
    first_s: float, own_s: float, eta_s: int
) -> None:
    known = RouteTable()
    known.apply(record(load_s=10.0, **backing_off(own_s)), 100)
    known.apply(record(model="a", load_s=7.0, **backing_off(first_s)), 100)
    assert known.eta_s("qwen", 105, T0, ["a"]) == eta_s


def test_eta_forgets_a_load_that_has_ended_or_whose_model_is_gone() -> None:
    known = among(record(model="a", **LOADING))
    known.apply(record(2, model="a"), 105)
    assert known.eta_s("qwen", 105, T0) == 10
    known.apply(record(3, model="a", **LOADING), 105)
    known.forget("a")
    assert known.eta_s("qwen", 105, T0) == 10


def test_removed_models_are_not_shown() -> None:
    known = table(record(), record(model="gone", removed=True))
    assert [one.model for one in known.records()] == ["qwen"]
    assert known.record("gone") is None
