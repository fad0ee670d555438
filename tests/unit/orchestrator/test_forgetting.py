"""What the state keeps of models that are gone."""

from datetime import UTC, datetime

from modelium.common.events import AgentHeartbeat
from modelium.common.records import InstanceState, ModelState
from modelium.common.testing import a_device, a_model_record, an_instance_record
from modelium.orchestrator.placement_state import PlacementState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def heartbeat() -> AgentHeartbeat:
    device = a_device()
    engine = an_instance_record(
        device_ids=(device.device_id,), state=InstanceState.LOADED, generation=3
    )
    return AgentHeartbeat(
        agent_id="local", launcher="process", devices=(device,), instances=(engine,)
    )


def test_a_forgotten_models_numbers_are_not_used_again() -> None:
    state = PlacementState(0)
    beat = heartbeat()
    engine = beat.instances[0]
    record = a_model_record(
        state=ModelState.LOADED,
        fingerprint=engine.fingerprint,
        generation=3,
        instance_id=engine.instance_id,
        loaded_at=NOW,
    )
    state.resynced([record], [], 10, NOW)
    state.heard_agent(beat, 10)
    assert state.loaded_for_s(record, 12) == 2

    state.resynced([], [], 20, NOW)
    assert state.loaded_for_s(record, 22) is None
    assert state.next_generation("qwen") == 4


def test_what_is_kept_of_numbers_does_not_grow_with_the_models_that_were() -> None:
    state = PlacementState(0)
    for number in range(1, 50):
        gone = a_model_record(model=f"m{number}", state=ModelState.UNLOADED, generation=number)
        state.resynced([gone], [], number, NOW)
    state.resynced([], [], 60, NOW)
    assert len(state._newest_generation) == 0
    assert state.next_generation("m3") == state.next_generation("m49") == 50
    state.changed(a_model_record(model="m3", state=ModelState.DISCOVERED), 61, NOW)
    assert state.next_generation("m3") == 50
