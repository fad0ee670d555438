"""When a row is another one, and what of a device is shown to whom."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelium.common.events import AgentHeartbeat
from modelium.common.records import Device, Instance, InstanceState, ModelState
from modelium.common.testing import a_device, a_model_record
from modelium.gateway.live.figures import Figures
from modelium.gateway.live.rows import (
    ModelNow,
    device_key,
    live_device,
    live_model,
    model_key,
    shown,
)

START = datetime(2026, 1, 2, tzinfo=UTC)


def now(figures: Figures | None = None, **changes: Any) -> ModelNow:
    record = a_model_record(**changes.pop("record", {}))
    nothing = {
        "eta_s": None,
        "pinned": False,
        "can_sleep": False,
        "load_started_at": None,
        "expected_load_s": None,
    }
    return ModelNow(record=record, figures=figures or Figures(), **{**nothing, **changes})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (now(Figures(idle_s=100)), now(Figures(idle_s=101))),
        (now(eta_s=100), now(eta_s=99)),  # nobody waits for it
        (now(Figures(requests_per_second=0.101)), now(Figures(requests_per_second=0.1))),
        (now(Figures(waiting=1, oldest_wait_s=7.1)), now(Figures(waiting=1, oldest_wait_s=7.3))),
    ],
)
def test_what_only_passes_is_no_change(before: ModelNow, after: ModelNow) -> None:
    assert model_key(before) == model_key(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (now(Figures(idle_s=100)), now(Figures(idle_s=125))),
        (now(Figures(idle_s=None)), now(Figures(idle_s=0))),
        (now(Figures(waiting=1), eta_s=100), now(Figures(waiting=1), eta_s=99)),
        (
            now(eta_s=100, record={"state": ModelState.LOADING}),
            now(eta_s=99, record={"state": ModelState.LOADING}),
        ),
        (now(Figures(waiting=1, oldest_wait_s=7)), now(Figures(waiting=1, oldest_wait_s=8))),
        (now(), now(record={"version": 2})),
        (now(), now(pinned=True)),
        (now(), now(can_sleep=True)),
        (now(), now(Figures(in_flight=1))),
        (now(), now(Figures(p99_s=0.5))),
        (now(), now(load_started_at=START)),
    ],
)
def test_everything_else_is_one(before: ModelNow, after: ModelNow) -> None:
    assert model_key(before) != model_key(after)


def test_an_idle_time_is_told_a_few_times_an_hour() -> None:
    told = {model_key(now(Figures(idle_s=s))) for s in range(3600, 7200)}
    assert len(told) <= 5


def test_a_rejected_model_has_no_routes() -> None:
    row = live_model(now(record={"state": ModelState.REJECTED}))
    assert (row.runtime, row.capabilities) == (None, ())


def an_engine(model: str, state: InstanceState = InstanceState.LOADED) -> Instance:
    return Instance(
        instance_id=f"{model}.1",
        model=model,
        agent_id="local",
        device_ids=("gpu",),
        generation=1,
        state=state,
        reserved_bytes=20,
        resident_bytes=10,
    )


def a_beat(*engines: Instance, later_s: float = 0, **changes: Any) -> AgentHeartbeat:
    device = a_device(device_id="gpu").model_copy(update=changes)
    return AgentHeartbeat(
        agent_id="local",
        launcher="process",
        devices=(device,),
        instances=engines,
        occurred_at=START + timedelta(seconds=later_s),
    )


def key(beat: AgentHeartbeat) -> object:
    return device_key(beat.devices[0], beat)


def test_a_device_is_another_when_more_than_a_thousandth_of_it_is_used() -> None:
    total = a_device().total_bytes
    before = a_beat(free_bytes=total // 2, used_bytes=total // 2)
    assert key(before) == key(
        a_beat(later_s=5, free_bytes=total // 2 + 1, used_bytes=total // 2 - 1)
    )
    assert key(before) != key(a_beat(free_bytes=total // 2, used_bytes=total // 3))
    assert key(a_beat(free_bytes=total // 2)) != key(a_beat(free_bytes=total // 3))
    assert key(before) != key(a_beat(later_s=10, free_bytes=total // 2, used_bytes=total // 2))
    assert key(a_beat()) != key(a_beat(an_engine("qwen")))


@pytest.mark.parametrize(
    ("measured", "used", "total"),
    [
        ({}, 25, 100),
        ({"used_bytes": 60, "whole_bytes": 120}, 60, 120),
    ],
)
def test_used_is_what_was_measured_or_else_what_is_not_free(
    measured: dict[str, int], used: int, total: int
) -> None:
    device = Device.model_validate(
        {"device_id": "gpu", "kind": "cuda", "name": "", "total_bytes": 100, "free_bytes": 75}
        | measured
    )
    row = live_device(device, a_beat())
    assert (row.used_bytes, row.total_bytes, row.budget_bytes) == (used, total, 100)


def test_engines_of_models_that_are_not_shown_are_one() -> None:
    beat = a_beat(an_engine("a"), an_engine("b", InstanceState.SLEEPING), an_engine("c"))
    row = live_device(beat.devices[0], beat)
    assert shown(row, lambda _: True) is row
    own, others = shown(row, lambda model: model == "a").engines
    assert own.instance_id == "a.1"
    assert (others.instance_id, others.model, others.state) == ("", "", InstanceState.LOADED)
    assert (others.reserved_bytes, others.resident_bytes) == (40, 20)
