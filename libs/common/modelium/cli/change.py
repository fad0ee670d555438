"""Asks for a model to be loaded, put to sleep, pinned …, and waits for it if wanted."""

from typing import Any

from modelium.cli.console import out_json, say, step
from modelium.cli.gateway_client import GatewayClient, Refused
from modelium.cli.unknown_model import unknown_model
from modelium.cli.waiting import until
from modelium.common.errors import DependencyUnavailable

WAIT_TIMEOUT_S = 1800.0


def load(client: GatewayClient, model: str, *, wait: bool, as_json: bool) -> None:
    """Have it loaded; with `wait`, fail when its load fails."""
    record = _existing(client, model)
    if record["state"] == "rejected":
        raise Refused(400, "model_rejected", f"{model} cannot be served: {record['reason']}")
    client.wish(model, "load")
    _finish(client, model, "loaded", wait=wait, as_json=as_json)


def unload(client: GatewayClient, model: str, *, wait: bool, as_json: bool) -> None:
    """Have it unloaded."""
    _existing(client, model)
    client.wish(model, "unload")
    _finish(client, model, "unloaded", wait=wait, as_json=as_json)


def sleep(client: GatewayClient, model: str, *, wait: bool, as_json: bool) -> None:
    """Have it put to sleep; refused with the reason where it cannot sleep."""
    _existing(client, model)
    client.wish(model, "sleep")
    _finish(client, model, "sleeping", wait=wait, as_json=as_json)


def retry(client: GatewayClient, model: str, *, wait: bool, as_json: bool) -> None:
    """Have one that has failed loaded now; with `wait`, fail when it fails again."""
    tried = _existing(client, model)["generation"]
    client.wish(model, "retry")
    _finish(client, model, "loaded", wait=wait, as_json=as_json, after=tried)


def pin(client: GatewayClient, model: str, *, pinned: bool, as_json: bool) -> None:
    """Have it always loaded, or no longer."""
    _existing(client, model)
    client.wish(model, "pin", method="PUT" if pinned else "DELETE")
    record = client.model(model) or {}
    if as_json:
        out_json(record)
    elif pinned:
        say(f"{model} is pinned: it is loaded as soon as there is room, and stays.")
    else:
        say(f"{model} is not pinned any more; it may give way to others.")


def _existing(client: GatewayClient, model: str) -> dict[str, Any]:
    record = client.model(model)
    if record is None:
        raise unknown_model(client, model)
    return record


def _finish(
    client: GatewayClient, model: str, wanted: str, *, wait: bool, as_json: bool, after: int = -1
) -> None:
    if wait:
        _wait(client, model, wanted, after)
    record = client.model(model) or {}
    if as_json:
        out_json(record)
    elif not wait:
        say(f"{model} is asked to be {wanted}; its state: {record.get('state', 'gone')}.")


def _wait(client: GatewayClient, model: str, wanted: str, after: int) -> None:
    """A failure of the load attempt `after`, or of an earlier one, is not what is waited for."""
    seen = {"state": "", "reason": ""}

    def there_or_failed() -> str | None:
        page = client.model(model) or {"state": "unloaded", "reason": "it was removed"}
        seen.update(page)
        ends = {wanted, "rejected"} | ({"error"} if page.get("generation", 0) > after else set())
        return seen["state"] if seen["state"] in ends else None

    with step(f"{model} is to be {wanted}", wanted) as shown:
        state = until(
            there_or_failed,
            timeout_s=WAIT_TIMEOUT_S,
            step=shown,
            note=lambda: f"{seen['state']} {seen['reason'] or ''}".strip(),
        )
        if state != wanted:
            raise DependencyUnavailable(
                f"{model} is {seen['state']}: {seen['reason'] or 'no reason is known'}",
                f"modelium logs {model} shows its engine's log.",
            )
