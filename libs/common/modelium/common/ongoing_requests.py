"""Requests that gateways answer at the moment, as one tells another of them. Pure and frozen."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from modelium.common.frozen import Frozen
from modelium.common.records import ModelName


class OngoingRequest(Frozen):
    """One that waits for its model, or is at an engine; no word of what was asked."""

    id: str = Field(description="its x-request-id")
    model: ModelName
    organization: str
    key_id: str | None = Field(description="null: no key is needed")
    path: str
    state: Literal["waiting", "running"]
    position: int | None = Field(description="in the model's queue at its gateway, from 1")
    since: datetime = Field(description="when it came")
    waited_s: float = Field(ge=0, description="for its model, until now or until it was sent there")
    gateway_id: str
    stream: bool


class RequestsAnswer(Frozen):
    """A gateway's answer to which requests it has; `left_out`: how many more, which came later."""

    gateway_id: str
    requests: tuple[OngoingRequest, ...]
    left_out: int = Field(default=0, ge=0)


class CancelAnswer(Frozen):
    """A gateway's answer to being told to end a request."""

    gateway_id: str
    cancelled: int = Field(ge=0, description="how many it had of this id")
