"""Commands for agents, made from what was decided. Pure.

Their `message_id` is the same however often they are made from the same state, so that a command
made again by the next process is stored once. One that is unanswered is repeated under another id
(`in_flight.py`).
"""

from collections.abc import Mapping
from typing import Any

from modelium.common.events import LoadModel, SleepModel, UnloadModel, WakeModel
from modelium.common.records import DeviceKind, Instance, ModelRecord, instance_id
from modelium.core.actions import Load, Sleep
from modelium.core.memory import (
    context_tokens,
    kv_cache_bytes,
    loads_with_cut_cache,
    weight_bytes,
)
from modelium.core.policy import MemoryPolicy
from modelium.core.tensor_parallel import share_of_weights
from modelium.orchestrator.engines import Engine


def load_model(
    action: Load,
    record: ModelRecord,
    generation: int,
    kinds: Mapping[str, DeviceKind],
    policy: MemoryPolicy,
) -> LoadModel:
    """The command for a load; `kinds` says what each device is.

    Raises:
        ValueError: the model has no descriptor; `decide` never chooses such a model.
    """
    if record.descriptor is None:
        raise ValueError(f"{record.model} has no descriptor")
    instance = instance_id(record.model, generation)
    kind, cut = kinds[action.device_ids[0]], loads_with_cut_cache(record)
    return LoadModel(
        message_id=f"{instance}-load",
        agent_id=action.agent_id,
        model=record.model,
        instance_id=instance,
        generation=generation,
        device_ids=action.device_ids,
        path=record.path,
        fingerprint=record.fingerprint,
        descriptor=record.descriptor,
        reserve_bytes=action.reserve_bytes,
        weight_bytes=share_of_weights(
            weight_bytes(record.descriptor, kind, policy), len(action.device_ids)
        ),
        kv_cache_bytes=kv_cache_bytes(record.descriptor, kind, policy, cut=cut),
        context_length=context_tokens(record.descriptor, policy),
        planned=record.planned,
        is_copy=action.is_copy,
    )


def _addressed(engine: Engine, record: ModelRecord, order: str) -> dict[str, Any]:
    """What every order to a model's engine begins with.

    The record's version is in the id: an engine that went on to serve after it was told to stop
    (its agent was restarted in between) can be told once more.
    """
    return {
        "message_id": f"{engine.instance_id}-{order}-{record.version}",
        "agent_id": engine.agent_id,
        "model": record.model,
        "instance_id": engine.instance_id,
        "generation": engine.generation,
    }


def unload_model(
    engine: Engine, record: ModelRecord, reason: str, drain_deadline_s: float
) -> UnloadModel:
    """The command to drain and stop a model's engine."""
    return UnloadModel(
        **_addressed(engine, record, "unload"),
        reason=reason,
        drain_deadline_s=drain_deadline_s,
    )


def sleep_model(
    action: Sleep, engine: Engine, record: ModelRecord, drain_deadline_s: float
) -> SleepModel:
    """The command to drain a model's engine and put it to sleep."""
    return SleepModel(
        **_addressed(engine, record, "sleep"),
        level=1 if action.level == 1 else 2,
        drain_deadline_s=drain_deadline_s,
    )


def wake_model(engine: Engine, record: ModelRecord) -> WakeModel:
    """The command to wake a model's engine."""
    return WakeModel(
        **_addressed(engine, record, "wake"),
    )


def stop_orphan(orphan: Instance, drain_deadline_s: float) -> UnloadModel:
    """The command to stop an engine that belongs to no model."""
    return UnloadModel(
        message_id=f"{orphan.instance_id}-unload-orphan",
        agent_id=orphan.agent_id,
        model=orphan.model,
        instance_id=orphan.instance_id,
        generation=orphan.generation,
        reason="it belongs to no model",
        drain_deadline_s=drain_deadline_s,
    )
