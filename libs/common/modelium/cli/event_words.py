"""What an event of the bus says, in a few words for people; pure. Programs read its JSON."""

import json
from collections.abc import Callable
from typing import Any, Final

Payload = dict[str, Any]
_OF_NO_INTEREST: Final = frozenset({"message_id", "occurred_at", "model", "instance_id"})
_MADE_SHORT: Final = ("descriptor", "fingerprint", "memory", "endpoint", "record")


def words(subject: str, payload: Payload) -> str:
    """One line; of what is not known here the members that are short."""
    return WORDS.get(subject, _members)(payload)


def _state(payload: Payload) -> str:
    record = payload["record"]
    if record is None:
        return "is forgotten"
    before, now = payload["previous"], record["state"]
    change = now if before in (None, now) else f"{before} -> {now}"
    return f"{change}: {record['reason']}" if record["reason"] else change


def _decisions(payload: Payload) -> str:
    by = f"{payload['origin']} ({payload['source']})"
    if payload["plan"] is not None:
        return f"{by}: plan {payload['plan']['model']}, {payload['plan']['runtime']}"
    every = [_decision(each) for each in payload["decisions"]]
    return f"{by}: {'; '.join(every) or 'nothing is to change'}"


def _decision(decision: Payload) -> str:
    dropped = f" [not done: {decision['dropped_by']}]" if decision["dropped_by"] else ""
    return f"{decision['action']} {decision['model']}, {decision['reason']}{dropped}"


def _loaded(payload: Payload) -> str:
    took_s = payload["load_s"] if payload["wake_s"] is None else payload["wake_s"]
    took = f" in {took_s:.1f} s" if took_s is not None else ""
    return f"{payload['instance_id']} on {', '.join(payload['device_ids'])}{took}"


def _members(payload: Payload) -> str:
    said = {
        name: value
        for name, value in payload.items()
        if name not in _OF_NO_INTEREST and not name.startswith(_MADE_SHORT) and value is not None
    }
    return " ".join(f"{name}={_short(value)}" for name, value in said.items())


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


WORDS: Final[dict[str, Callable[[Payload], str]]] = {
    "model.state_changed": _state,
    "decision.made": _decisions,
    "runtime.loaded": _loaded,
}
