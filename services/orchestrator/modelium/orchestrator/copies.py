"""How the core sees an engine that a model has beside its first. Pure."""

from collections.abc import Mapping
from datetime import datetime

from modelium.common.records import ModelRecord, ModelState
from modelium.core.snapshot import ModelView
from modelium.orchestrator.engines import Engine
from modelium.orchestrator.placement_state import PlacementState


def copy_view(
    state: PlacementState,
    record: ModelRecord,
    copy: Engine,
    held_bytes: Mapping[str, int],
    now_s: float,
) -> ModelView:
    """Alone, with the requests that it serves itself."""
    known = record.copy_of(copy.generation)
    files = known.fingerprint if known else ""
    first = record.loaded_fingerprint or record.fingerprint
    # Its record is to tell that it serves, and what.
    unseen = known is None and copy.state is ModelState.LOADED
    return ModelView(
        model=record.model,
        copy_id=copy.instance_id,
        state=ModelState.LOADING if unseen else copy.state,
        removed=record.removed,
        stale_files=record.are_older(files) and files != first,
        unload_requested=record.model in state.wishes.to_unload,
        device_ids=copy.device_ids,
        held_bytes=held_bytes.get(copy.instance_id, 0),
        in_flight=state.demand.at_engine(record.model, copy.generation, now_s),
        generation=copy.generation,
    )


def copy_retry_in_s(record: ModelRecord, now: datetime) -> float:
    """How long it gets no other engine, as one that it had beside another has failed."""
    if record.copy_retry_at is None:
        return 0.0
    return max(0.0, (record.copy_retry_at - now).total_seconds())
