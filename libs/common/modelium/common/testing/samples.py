"""Sample values that tests share; every field can be changed by keyword."""

from typing import Any

from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.common.records import (
    AgentRecord,
    Device,
    DeviceKind,
    InstanceRecord,
    InstanceState,
    MemoryRecord,
    ModelRecord,
    ModelState,
)


def a_descriptor(**changes: Any) -> Descriptor:
    """A small chat model."""
    return Descriptor.model_validate(
        {
            "format": "huggingface",
            "architecture": "Qwen2ForCausalLM",
            "task": Task.CHAT,
            "runtime": RuntimeKind.VLLM,
            "dtype": "BF16",
            "parameters": 500_000_000,
            "weight_bytes": 1_000_000_000,
            "context_length": 4096,
            "kv_bytes_per_token": 12_288,
            "has_chat_template": True,
        }
        | changes
    )


def a_model_record(**changes: Any) -> ModelRecord:
    """A model that is analysed and not loaded."""
    return ModelRecord.model_validate(
        {
            "model": "qwen",
            "state": ModelState.UNLOADED,
            "path": "/models/qwen",
            "fingerprint": "f1",
            "size_bytes": 1_000_001_000,
            "descriptor": a_descriptor(),
        }
        | changes
    )


def an_instance_record(**changes: Any) -> InstanceRecord:
    """A loaded engine of `a_model_record`."""
    return InstanceRecord.model_validate(
        {
            "instance_id": "qwen.1",
            "model": "qwen",
            "agent_id": "local",
            "device_ids": ("cpu-local-0",),
            "generation": 1,
            "state": InstanceState.LOADED,
            "endpoint": "http://127.0.0.1:9999",
            "fingerprint": "f1",
            "reserved_bytes": 4_000_000_000,
            "resident_bytes": 3_000_000_000,
        }
        | changes
    )


def a_device(**changes: Any) -> Device:
    """A CPU slot with nothing on it."""
    return Device.model_validate(
        {
            "device_id": "cpu-local-0",
            "kind": DeviceKind.CPU,
            "name": "CPU slot 0",
            "total_bytes": 8_000_000_000,
            "free_bytes": 8_000_000_000,
        }
        | changes
    )


def a_memory_record(**changes: Any) -> MemoryRecord:
    """What the one load of `a_model_record` so far has shown."""
    return MemoryRecord.model_validate(
        {
            "fingerprint": "f1",
            "engine": "vllm-1.0",
            "device_kind": DeviceKind.CPU,
            "loads": 1,
            "last_instance_id": "qwen.1",
            "last_bytes": 3_000_000_000,
            "highest_bytes": 3_000_000_000,
            "estimated_bytes": 3_500_000_000,
            "weight_bytes": 1_000_000_000,
        }
        | changes
    )


def an_agent_record(**changes: Any) -> AgentRecord:
    """An agent with one CPU slot and no engine."""
    return AgentRecord.model_validate(
        {"agent_id": "local", "launcher": "process", "devices": (a_device(),)} | changes
    )
