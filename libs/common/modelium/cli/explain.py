"""`modelium explain`: what happened to a model or a request, or what a decision was, and why."""

from collections.abc import Iterator
from typing import Any, Final

from modelium.cli.console import out, out_json, out_table
from modelium.cli.gateway_client import GatewayClient

ENDINGS: Final = {
    "served": "then it was served",
    "left": "then its client left or the gateway stopped",
}


def show_explanation(client: GatewayClient, what: str, limit: int, *, as_json: bool) -> None:
    """Print it: a sentence about what was asked for, then the decisions in their order."""
    found = client.explain(what, limit)
    if as_json:
        out_json(found)
        return
    for sentence in _sentences(found):
        out(sentence)
    if found["decisions"]:
        out()
        rows = [row for record in found["decisions"] for row in _rows(record)]
        out_table(("TIME (UTC)", "BY", "ACTION", "MODEL", "DECISION", "REASON"), rows)
    else:
        out("No decision about it is kept.")


def _sentences(found: dict[str, Any]) -> Iterator[str]:
    if found["request"]:
        yield _about_request(found["request"])
    if found["about"] == "decision":
        digest = found["decisions"][0]["inputs_digest"]
        yield f"The decision {found['id']}, made of the inputs {digest}."
    elif found["state"] is None:
        yield f"{found['model']} is gone."
    else:
        reason = f": {found['reason']}" if found["reason"] else "."
        yield f"{found['model']} is {found['state']}{reason}"
        why = found.get("runtime_reason")
        if why and why != found["reason"]:
            yield f"Its runtime: {why}."


def _about_request(request: dict[str, Any]) -> str:
    found = f"The request {request['request_id']} found {request['model']} {request['found']}"
    since = f"at {_time(request['since'])}"
    if request["waited_s"] is None:
        return f"{found} {since} and waits."
    ended = ENDINGS.get(request["ended"], f"then it was refused with {request['ended']}")
    return f"{found} {since} and waited {request['waited_s']:.1f} s, {ended}."


def _rows(record: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    by = str(record["origin"])
    if by != "orchestrator" or record["source"] != "rules":
        by += f", {record['source']}"
    aside = "said for comparison" if record.get("shadow") else ""
    came = {each["model"]: each["outcome"] for each in record.get("came", ())}
    for each in record["decisions"]:
        yield (
            _time(record["made_at"]),
            by,
            str(each["action"]),
            str(each["model"]),
            str(record["decision_id"]),
            _noted(_reason(each), aside, came.get(each["model"], "")),
        )
    if plan := record["plan"]:
        dropped = plan.get("dropped_by")
        forbidden = f"not done, forbidden by: {dropped}" if dropped else ""
        reason = _noted(f"{plan['runtime']}: {plan['reasoning']}", forbidden, aside)
        yield _time(record["made_at"]), by, "plan", plan["model"], record["decision_id"], reason


def _reason(decision: dict[str, Any]) -> str:
    notes = [str(decision["reason"])]
    if decision["victims"]:
        notes.append(f"gives way: {', '.join(decision['victims'])}")
    if decision["dropped_by"]:
        notes.append(f"not done, forbidden by: {decision['dropped_by']}")
    return _noted(*notes)


def _noted(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _time(text: str) -> str:
    """Of an RFC 3339 time in UTC, to the second."""
    return text[:19].replace("T", " ")
