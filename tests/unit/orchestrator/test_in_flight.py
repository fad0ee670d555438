"""When a command on its way is over."""

from typing import Any

import pytest

from modelium.common.events import LoadModel, UnloadModel
from modelium.common.records import ModelState
from modelium.common.testing import a_descriptor, a_model_record
from modelium.orchestrator.in_flight import Sent, is_settled

WHO: dict[str, Any] = {"agent_id": "local", "model": "qwen", "instance_id": "qwen.2"}
LOAD = LoadModel(
    **WHO,
    generation=2,
    device_ids=("cpu-local-0",),
    path="/models/qwen",
    fingerprint="f1",
    descriptor=a_descriptor(),
    reserve_bytes=1,
    kv_cache_bytes=0,
    context_length=0,
)
UNLOAD = UnloadModel(**WHO, generation=2, reason="", drain_deadline_s=0)


@pytest.mark.parametrize(
    ("command", "record", "settled"),
    [
        (LOAD, {"state": ModelState.UNLOADED, "generation": 1}, False),  # not begun
        (LOAD, {"state": ModelState.LOADING, "generation": 2}, True),  # begun
        (LOAD, {"state": ModelState.ERROR, "generation": 2, "ended_generation": 2}, True),  # failed
        (LOAD, {"state": ModelState.LOADED, "generation": 3}, True),  # overtaken
        (UNLOAD, {"state": ModelState.LOADED, "generation": 2}, False),
        (UNLOAD, {"state": ModelState.UNLOADING, "generation": 2}, True),
        (UNLOAD, {"state": ModelState.UNLOADED, "generation": 2, "ended_generation": 2}, True),
    ],
)
def test_a_command_ends_with_its_record(
    command: LoadModel | UnloadModel, record: dict[str, Any], settled: bool
) -> None:
    assert is_settled(Sent(command, 0), a_model_record(**record)) is settled


def test_a_command_about_a_forgotten_model_is_over() -> None:
    assert is_settled(Sent(LOAD, 0), None)
