"""What there is: processes, models, their states and reasons."""

from typing import Any

from modelium.cli.console import out, out_json, out_table
from modelium.cli.gateway_client import GatewayClient
from modelium.cli.layout import Layout
from modelium.cli.supervise import Supervisor

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
PROCESS_STATES = {"RUNNING": "ok", "STARTING": "starting", "BACKOFF": "failed", "FATAL": "failed"}


def size(number: float) -> str:
    """Bytes for people: 544.9 KiB."""
    for unit in UNITS[:-1]:
        if abs(number) < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} {UNITS[-1]}"


def show_status(client: GatewayClient, layout: Layout, *, as_json: bool) -> None:
    """Processes of the local system, if there are any, then what the gateway knows."""
    processes = Supervisor(layout).infos()
    if as_json:
        out_json({"url": client.url, "processes": processes, "system": client.status()})
        return
    if processes:
        out_table(("PROCESS", "STATE", "SINCE"), [_process_row(info) for info in processes])
        out()
    system = client.status()
    out(f"gateway  {client.url}")
    out(f"models   {_counted(system['models'])}")
    if missing := system.get("always_loaded_missing"):
        out(f"warning  always_loaded names what is no model: {', '.join(missing)}")
    if system["models"]:
        out()
        _models_table(system["models"])


def _process_row(info: dict[str, Any]) -> tuple[str, str, str]:
    state = str(info["statename"])
    return str(info["name"]), PROCESS_STATES.get(state, state.lower()), str(info["description"])


def _counted(models: list[dict[str, Any]]) -> str:
    states = [str(page["state"]) for page in models]
    counts = {state: states.count(state) for state in states}
    parts = ", ".join(f"{number} {state}" for state, number in counts.items())
    return f"{len(models)}" + (f" ({parts})" if parts else "")


def show_models(client: GatewayClient, *, as_json: bool) -> None:
    """One line per model."""
    models = client.models()
    if as_json:
        out_json(models)
    elif models:
        _models_table(models)
    else:
        out("There are no models: copy one into the models folder.")


def _state(page: dict[str, Any]) -> str:
    """With how many engines, where there are several, and whether it is pinned."""
    serving = [e for e in page.get("engines", ()) if e["state"] == page["state"]]
    several = f", {len(serving)} engines" if len(serving) > 1 else ""
    pinned = ", pinned" if page.get("pinned") else ""
    return f"{page['state']}{several}{pinned}"


def _models_table(models: list[dict[str, Any]]) -> None:
    rows = [
        (
            str(page["model"]),
            _state(page),
            str(page.get("task") or ""),
            size(page.get("size_bytes") or 0),
            size(page["resident_bytes"]) if page.get("resident_bytes") else "",
            str(page.get("reason") or ""),
        )
        for page in models
    ]
    out_table(("MODEL", "STATE", "TASK", "FILES", "MEMORY", "REASON"), rows)
