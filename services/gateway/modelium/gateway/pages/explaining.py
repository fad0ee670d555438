"""What an explanation is, and which of the kept decisions belong to it. Pure."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field

from modelium.common.history import DecisionRecord, RequestRecord
from modelium.common.records import ModelState


class Explanation(BaseModel):
    """What happened and why, as far as it is kept."""

    about: Literal["model", "request", "decision"]
    id: str
    model: str | None = Field(default=None, description="null: a decision may be about several")
    state: ModelState | None = Field(default=None, description="the model's, now")
    reason: str = Field(default="", description="why the model does not serve, now")
    runtime_reason: str = Field(default="", description="of a model: why this runtime serves it")
    request: RequestRecord | None = None
    decisions: list[DecisionRecord] = Field(
        description="in the order they were made; of a model or a request: what they say of that "
        "model, and the last one before the request came"
    )


def about_model(records: Iterable[DecisionRecord], model: str) -> list[DecisionRecord]:
    """What the decisions say of the model, also where it gives way for another."""
    return [
        record.model_copy(
            update={
                "decisions": tuple(d for d in record.decisions if model in (d.model, *d.victims)),
                "plan": record.plan if record.plan and record.plan.model == model else None,
            }
        )
        for record in records
    ]


def while_it_waited(
    records: Iterable[DecisionRecord], request: RequestRecord
) -> list[DecisionRecord]:
    """The decisions made while the request waited, after the last one that it found."""
    ordered = list(records)
    earlier = [record for record in ordered if record.made_at < request.since]
    until = None
    if request.waited_s is not None:
        until = request.since + timedelta(seconds=request.waited_s)
    during = [
        record
        for record in ordered
        if record.made_at >= request.since and (until is None or record.made_at <= until)
    ]
    return earlier[-1:] + during
