"""How much host memory sleeping engines may take."""

import pytest

from modelium.common.records import DeviceKind, InstanceState
from modelium.core.sleep_times import HOST_BYTES_PER_WEIGHT_BYTE
from modelium.runtime_agent.journal import Entry
from modelium.runtime_agent.sleep_memory import asleep_bytes, budget_bytes
from tests.agent_kit import a_record

CPU, CUDA = DeviceKind.CPU, DeviceKind.CUDA


@pytest.mark.parametrize(
    ("configured", "kinds", "budget"),
    [
        (None, {CUDA}, 550),  # half of what is free and of what sleeps already
        (None, {CPU}, 0),
        (None, set(), 0),
        (70, {CUDA}, 70),
        (70, {CPU}, 0),  # a CPU engine has no sleep mode
        (0, {CUDA}, 0),
    ],
)
def test_the_budget(configured: int | None, kinds: set[DeviceKind], budget: int) -> None:
    assert budget_bytes(configured, kinds=kinds, available=1000, asleep=100) == budget


def _entry(state: InstanceState, level: int, *devices: str) -> Entry:
    record = a_record().model_copy(update={"weight_bytes": 30, "device_ids": devices})
    return Entry(record=record, state=state, served=True, sleep_level=level)


def test_what_sleeps_already_has_its_weights_in_host_memory() -> None:
    entries = [
        _entry(InstanceState.SLEEPING, 1, "a"),
        _entry(InstanceState.SLEEPING, 1, "a", "b"),
        _entry(InstanceState.SLEEPING, 2, "a"),  # has discarded them
        _entry(InstanceState.LOADED, 0, "a"),
    ]
    assert asleep_bytes(entries) == 90 * HOST_BYTES_PER_WEIGHT_BYTE
