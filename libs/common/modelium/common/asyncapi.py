"""The AsyncAPI 3.0 document of all messages, made from their classes.

    python -m modelium.common.asyncapi > docs/asyncapi.json

A test compares the committed document with this, so that it cannot fall behind.
"""

import json
import sys
from importlib.metadata import version
from typing import Any

from modelium.common.envelope import ce_type
from modelium.common.events import MESSAGES, Message, Question

QUESTIONS = tuple(kind for kind in MESSAGES if issubclass(kind, Question))
_REF = "#/components/schemas/{model}"

_HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents attributes; a message without any headers is accepted.",
    "properties": {
        "ce-specversion": {"const": "1.0"},
        "ce-id": {"type": "string", "description": "the message_id"},
        "ce-type": {"type": "string"},
        "ce-source": {"type": "string", "description": "the process that said it"},
        "ce-time": {"type": "string", "format": "date-time"},
        "ce-datacontenttype": {"const": "application/json"},
        "Nats-Msg-Id": {"type": "string", "description": "the message_id; stored once"},
        "traceparent": {"type": "string", "description": "W3C trace context"},
    },
}


def document() -> dict[str, Any]:
    """The whole document, as plain values."""
    schemas: dict[str, Any] = {}
    for kind in (*MESSAGES, *(question.answered_with for question in QUESTIONS)):
        schema = kind.model_json_schema(ref_template=_REF)
        schemas |= schema.pop("$defs", {})
        schemas[kind.__name__] = schema
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Modelium",
            "version": version("modelium"),
            "description": "Everything that Modelium says over NATS; see docs/events.md.",
        },
        "defaultContentType": "application/json",
        "servers": {"nats": {"host": "127.0.0.1:4222", "protocol": "nats"}},
        "channels": {_channel_id(kind): _channel(kind) for kind in MESSAGES}
        | {_reply_id(kind): _reply_channel(kind) for kind in QUESTIONS},
        "operations": _operations(),
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in MESSAGES}
            | {kind.answered_with.__name__: _answer(kind) for kind in QUESTIONS},
            "messageTraits": {"cloudEvent": {"headers": _HEADERS}},
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _channel_id(kind: type[Message]) -> str:
    return kind.subject.replace(".{agent_id}", "")


def _channel(kind: type[Message]) -> dict[str, Any]:
    message = {"$ref": f"#/components/messages/{kind.__name__}"}
    channel: dict[str, Any] = {
        "address": kind.subject,
        "description": "Stored in JetStream." if kind.stored else "Not stored: may be lost.",
        "messages": {kind.__name__: message},
    }
    if "{agent_id}" in kind.subject:
        channel["parameters"] = {"agent_id": {"description": "the agent that it is for"}}
    return channel


def _reply_id(question: type[Question]) -> str:
    return f"{_channel_id(question)}.reply"


def _reply_channel(question: type[Question]) -> dict[str, Any]:
    name = question.answered_with.__name__
    return {
        "address": None,
        "description": "The inbox that the question names, by NATS' request and reply.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }


def _operations() -> dict[str, Any]:
    """Modelium both sends and receives each of them; other systems may do either."""
    operations: dict[str, Any] = {
        f"{action}{kind.__name__}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{_channel_id(kind)}"},
            "messages": [{"$ref": f"#/channels/{_channel_id(kind)}/messages/{kind.__name__}"}],
        }
        for kind in MESSAGES
        for action in ("send", "receive")
    }
    for kind in QUESTIONS:
        for action in ("send", "receive"):
            reply = {"channel": {"$ref": f"#/channels/{_reply_id(kind)}"}}
            operations[f"{action}{kind.__name__}"]["reply"] = reply
    return operations


def _answer(question: type[Question]) -> dict[str, Any]:
    kind = question.answered_with
    return {
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip(),
        "payload": {"$ref": _REF.format(model=kind.__name__)},
    }


def _message(kind: type[Message]) -> dict[str, Any]:
    return {
        "name": ce_type(kind),
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip(),
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"$ref": _REF.format(model=kind.__name__)},
    }


def render() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
