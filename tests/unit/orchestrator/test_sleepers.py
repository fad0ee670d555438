"""How much host memory is left for engines to sleep in."""

import pytest

from modelium.common.events import AgentHeartbeat
from modelium.common.records import ModelState
from modelium.core.policy import memory_policy
from modelium.orchestrator.engines import Engine
from modelium.orchestrator.placement_state import PlacementState
from modelium.orchestrator.sleepers import hosts
from tests.unit.orchestrator.rig import a_model, some_settings
from tests.unit.orchestrator.scripted import GB

MEMORY = memory_policy(some_settings().vllm, some_settings().ray_serve)


@pytest.mark.parametrize(
    ("state", "level", "free"),
    [
        (ModelState.SLEEPING, 1, 7),  # a gigabyte of weights may take two
        (ModelState.LOADING, 1, 7),  # it wakes: they are pinned until it has read them
        (ModelState.LOADED, 0, 9),
        (ModelState.SLEEPING, 2, 9),  # it has dropped them
    ],
)
def test_an_engine_has_its_host_memory_until_it_is_awake(
    state: ModelState, level: int, free: int
) -> None:
    now = PlacementState(0)
    beat = {"agent_id": "local", "launcher": "process", "devices": (), "instances": ()}
    now.agents.heard(AgentHeartbeat.model_validate(beat | {"sleep_memory_bytes": 9 * GB}), 0)
    now.records["a"] = a_model("a", state=state, sleep_level=level)
    engine = Engine("a.1", "local", 1, state, (), 3 * GB, 0)
    [host] = hosts(now, {"a": engine}, MEMORY, 0)
    assert host.free_bytes == free * GB
