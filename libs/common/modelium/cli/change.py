"""Asks for a model to be loaded or unloaded, and waits for it if wanted."""

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
    client.load(model)
    _finish(client, model, "loaded", wait=wait, as_json=as_json)


def unload(client: GatewayClient, model: str, *, wait: bool, as_json: bool) -> None:
    """Have it unloaded."""
    _existing(client, model)
    client.unload(model)
    _finish(client, model, "unloaded", wait=wait, as_json=as_json)


def _existing(client: GatewayClient, model: str) -> dict[str, Any]:
    record = client.model(model)
    if record is None:
        raise unknown_model(client, model)
    return record


def _finish(client: GatewayClient, model: str, wanted: str, *, wait: bool, as_json: bool) -> None:
    if wait:
        _wait(client, model, wanted)
    record = client.model(model) or {}
    if as_json:
        out_json(record)
    elif not wait:
        say(f"{model} is asked to be {wanted}; it is {record.get('state', 'gone')} now.")


def _wait(client: GatewayClient, model: str, wanted: str) -> None:
    seen = {"state": "", "reason": ""}

    def there_or_failed() -> str | None:
        seen.update(client.model(model) or {"state": "unloaded", "reason": "it was removed"})
        return seen["state"] if seen["state"] in {wanted, "error", "rejected"} else None

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
