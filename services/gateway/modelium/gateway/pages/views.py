"""What is shown of models: the OpenAI list, and the pages for people.

Pure: values in, JSON objects out.
"""

from typing import Any

from modelium.common.figures import GatewayModelStats
from modelium.common.records import AgentRecord, ModelRecord, ModelState


def model_card(record: ModelRecord, eta_s: int | None) -> dict[str, Any]:
    """One entry of `/v1/models`, loaded or not."""
    since = record.loaded_at or record.updated_at
    return {
        "id": record.model,
        "object": "model",
        "created": int(since.timestamp()) if since else 0,
        "owned_by": "modelium",
        "modelium": {
            "state": record.state,
            "reason": record.reason,
            "eta_s": eta_s,
            "generation": record.generation,
            **_kind(record),
        },
    }


def _kind(record: ModelRecord) -> dict[str, Any]:
    about = record.descriptor
    return {
        "runtime": about.runtime if about else None,
        "context_length": about.context_length if about else None,
        "task": about.task if about else None,
    }


def model_page(
    record: ModelRecord, eta_s: int | None, figures: GatewayModelStats | None
) -> dict[str, Any]:
    """One entry of `/models`."""
    return {
        "model": record.model,
        "state": record.state,
        "reason": record.reason,
        "eta_s": eta_s,
        **_kind(record),
        "size_bytes": record.size_bytes,
        "resident_bytes": record.resident_bytes,
        "agent_id": record.agent_id,
        "device_ids": record.device_ids,
        "generation": record.generation,
        "load_s": record.load_s,
        "failures": record.failures,
        "retry_at": record.retry_at.isoformat() if record.retry_at else None,
        "loaded_at": record.loaded_at.isoformat() if record.loaded_at else None,
        "in_flight": figures.in_flight if figures else 0,
        "waiting": figures.waiting if figures else 0,
        "oldest_wait_s": round(figures.oldest_wait_s, 1) if figures else 0.0,
    }


def status_page(
    models: list[dict[str, Any]], agents: list[AgentRecord] | None, gateway: dict[str, Any]
) -> dict[str, Any]:
    """`/status`; `agents` is None when the store does not answer."""
    states = [model["state"] for model in models]
    return {
        "status": "ok" if agents is not None else "degraded",
        "gateway": gateway,
        "models_by_state": {s: states.count(s) for s in ModelState if s in states},
        "models": models,
        "agents": None if agents is None else [a.model_dump(mode="json") for a in agents],
    }
