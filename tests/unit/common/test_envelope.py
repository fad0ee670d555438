"""Messages to the wire and back."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from modelium.common import events as ev
from modelium.common.envelope import TRACEPARENT, Arrived, ce_type, decode, encode

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DISCOVERED = {"path": "/models/qwen"}


def arrived(body: object, headers: dict[str, str] | None = None) -> Arrived:
    return Arrived(json.dumps(body).encode(), headers or {}, "EVENTS-7", NOON)


def test_what_is_encoded_is_decoded_to_the_same() -> None:
    message = ev.ModelDiscovered(path="/models/«qwen» 2")
    payload, headers = encode(message, "watcher-1")
    assert decode(ev.ModelDiscovered, Arrived(payload, headers)) == message


def test_headers_are_those_of_a_cloud_event() -> None:
    message = ev.ModelRequested(model="qwen", message_id="m 1%é", occurred_at=NOON)
    _, headers = encode(message, "gateway-1")
    assert headers == {
        "ce-specversion": "1.0",
        "ce-id": "m%201%25%C3%A9",
        "ce-type": "io.modelium.model.requested.v1",
        "ce-source": "gateway-1",
        "ce-time": "2026-01-01T12:00:00Z",
        "ce-datacontenttype": "application/json",
        "Nats-Msg-Id": "m%201%25%C3%A9",
    }


def test_what_is_not_stored_has_no_id_for_the_server() -> None:
    _, headers = encode(ev.GatewayStats(gateway_id="g", models=()), "gateway-1")
    assert "Nats-Msg-Id" not in headers


def test_a_commands_type_does_not_name_the_agent() -> None:
    assert ce_type(ev.LoadModel) == "io.modelium.command.load.v1"


def test_the_trace_of_the_context_is_sent_along() -> None:
    token = TRACEPARENT.set("00-trace")
    _, headers = encode(ev.ModelRequested(model="qwen"), "gateway-1")
    TRACEPARENT.reset(token)
    assert headers["traceparent"] == "00-trace"


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (DISCOVERED | {"message_id": "own"}, {"ce-id": "header"}, "own"),
        (DISCOVERED, {"ce-id": "header%201", "Nats-Msg-Id": "server"}, "header 1"),
        (DISCOVERED, {"Nats-Msg-Id": "server"}, "server"),
        (DISCOVERED, {}, "EVENTS-7"),
    ],
    ids=["payload first", "then ce-id", "then Nats-Msg-Id", "then stream and sequence"],
)
def test_the_id_comes_from_the_best_place(
    body: object, headers: dict[str, str], expected: str
) -> None:
    assert decode(ev.ModelDiscovered, arrived(body, headers)).message_id == expected


def test_the_time_comes_from_header_or_stream() -> None:
    at_nine = {"ce-time": "2026-01-01T09:00:00Z"}
    assert decode(ev.ModelDiscovered, arrived(DISCOVERED, at_nine)).occurred_at.hour == 9
    assert decode(ev.ModelDiscovered, arrived(DISCOVERED)).occurred_at == NOON


def test_a_whole_cloud_event_in_one_object_is_opened() -> None:
    event = {"specversion": "1.0", "id": "e1", "type": "x", "source": "y", "data": DISCOVERED}
    headers = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    message = decode(ev.ModelDiscovered, arrived(event, headers))
    assert (message.path, message.message_id) == ("/models/qwen", "e1")


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[1]", b"null", b'{"path": ""}', b"{", b"{}"])
def test_anything_else_is_a_validation_error(payload: bytes) -> None:
    with pytest.raises(ValidationError):
        decode(ev.ModelDiscovered, Arrived(payload))
