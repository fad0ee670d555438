"""Messages to bytes with headers and back, as the CloudEvents binding for NATS says; pure.

A message is plain JSON with the CloudEvents attributes as headers beside it (binary mode). What
comes in may have no headers at all, or may be a whole CloudEvent in one JSON object (structured
mode).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote

from modelium.common.clock import utc_now
from modelium.common.event_log import StoredEvent
from modelium.common.events import Message
from modelium.common.subjects import subject_for

M = TypeVar("M", bound=Message)

TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""W3C trace context of the message being handled; everything published meanwhile carries it."""


@contextmanager
def within_trace(traceparent: str | None) -> Iterator[None]:
    """Let the block be part of this trace, or of none."""
    token = TRACEPARENT.set(traceparent)
    try:
        yield
    finally:
        TRACEPARENT.reset(token)


TRACEPARENT_HEADER: Final = "traceparent"
MESSAGE_ID_HEADER: Final = "Nats-Msg-Id"
REASON_HEADER: Final = "Modelium-Reason"
SEQUENCE_HEADER: Final = "Modelium-Stream-Sequence"

# Printable ASCII without space, quote and percent stands for itself in a CloudEvents header.
_PLAIN: Final = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


@dataclass(frozen=True)
class Arrived:
    """A message as it came from the wire, before it is known to be right."""

    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    fallback_id: str | None = None
    """`<stream>-<seq>` of a stored message: the same on every redelivery."""
    stored_at: datetime | None = None


def ce_type(kind: type[Message]) -> str:
    """CloudEvents type of a message class."""
    return f"io.modelium.{subject_for(kind).replace('.*', '')}.v1"


def encode(message: Message, source: str) -> tuple[bytes, dict[str, str]]:
    """Payload and headers of `message`, said by `source`."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": message.message_id,
        "ce-type": ce_type(type(message)),
        "ce-source": source,
        "ce-time": message.occurred_at.isoformat().replace("+00:00", "Z"),
        "ce-datacontenttype": "application/json",
    }
    headers = {name: quote(value, safe=_PLAIN) for name, value in headers.items()}
    if message.stored:
        headers[MESSAGE_ID_HEADER] = headers["ce-id"]
    if traceparent := TRACEPARENT.get():
        headers[TRACEPARENT_HEADER] = traceparent
    return message.model_dump_json().encode(), headers


def decode(kind: type[M], arrived: Arrived) -> M:
    """The message, with id and time from the headers or the stream where the payload has none.

    Raises:
        ValidationError: the payload is not JSON, or not such a message.
    """
    try:
        body = json.loads(arrived.payload)
    except ValueError:
        return kind.model_validate_json(arrived.payload)  # raises, and says where
    if not isinstance(body, dict):
        return kind.model_validate(body)
    body, attributes = _opened(body, arrived.headers)
    defaults = {
        "message_id": attributes.get("id")
        or arrived.headers.get(MESSAGE_ID_HEADER)
        or arrived.fallback_id,
        "occurred_at": attributes.get("time") or arrived.stored_at,
    }
    known = {name: value for name, value in defaults.items() if value}
    return kind.model_validate({**known, **body})


def stored_event(seq: int, subject: str, arrived: Arrived) -> StoredEvent:
    """A stored message for looking at, whatever is in it."""
    try:
        body = json.loads(arrived.payload)
    except ValueError:
        body = arrived.payload.decode(errors="replace")
    attributes: Mapping[str, Any] = {}
    if isinstance(body, dict):
        body, attributes = _opened(body, arrived.headers)
    said = attributes.get("time") or (body.get("occurred_at") if isinstance(body, dict) else None)
    return StoredEvent(
        seq=seq,
        time=_time(said) or arrived.stored_at or utc_now(),
        subject=subject,
        source=str(attributes.get("source", "")),
        payload=body,
    )


def _time(text: object) -> datetime | None:
    try:
        said = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return said if said.tzinfo else None


def _opened(
    body: dict[str, Any], headers: Mapping[str, str]
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Data and CloudEvents attributes, whichever mode they came in."""
    if headers.get("Content-Type", "").startswith("application/cloudevents"):
        data = body.get("data")
        return (data if isinstance(data, dict) else {}), body
    prefix = "ce-"
    return body, {
        name.removeprefix(prefix): unquote(value)
        for name, value in headers.items()
        if name.startswith(prefix)
    }
