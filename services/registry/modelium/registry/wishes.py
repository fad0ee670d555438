"""What an operator's wish makes of a model's record; pure. The others are the orchestrator's."""

from datetime import datetime
from typing import Any

from modelium.common.events import ModelPinRequested, ModelRetryRequested
from modelium.common.records import ModelRecord, ModelState
from modelium.registry import reasons
from modelium.registry.failing import NEVER_FAILED, NEVER_TRIED


def pinned(_record: ModelRecord, event: ModelPinRequested, _now: datetime) -> dict[str, Any]:
    """Kept until the model is forgotten, whatever its files become."""
    return {"pinned": event.pinned}


def retried(record: ModelRecord, _event: ModelRetryRequested, _now: datetime) -> dict[str, Any]:
    """As if nothing had ever failed: no load, copy or sleep waits for anything or is avoided."""
    changes = {**NEVER_FAILED, **NEVER_TRIED, "sleepless": "", "refused": False}
    if record.state is ModelState.ERROR:
        return changes | {"reason": reasons.RETRIED}
    return changes | ({"reason": reasons.REPLACED} if record.failed_fingerprint else {})
