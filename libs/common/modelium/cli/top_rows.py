"""What `modelium top` says of devices and models: texts, without how they are drawn."""

from typing import Any, Final

from modelium.cli.live_state import LiveState
from modelium.cli.show import size

DEVICE_TITLES: Final = ("DEVICE", "MEMORY", "USED", "BUDGET", "BUSY", "ENGINES")
MODEL_TITLES: Final = (
    "MODEL",
    "STATE",
    "REQ/S",
    "P50",
    "P99",
    "RUNNING",
    "WAITING",
    "MEMORY",
    "REASON",
)
BAR_CELLS: Final = 20


def summary(state: LiveState, url: str) -> str:
    """One line about the gateway."""
    gateway = state.gateway
    nats = "" if gateway.get("nats_connected", True) else "  NATS IS AWAY"
    leads = f"  {state.advisor['leads']} lead" if state.advisor else ""
    return (
        f"{url}  {_rate(gateway.get('requests_per_second'))} requests/s  "
        f"{gateway.get('active_requests', 0)} running  {_waiting(gateway)} waiting"
        f"{leads}{nats}  {state.time[11:19]}Z"
    )


def _waiting(gateway: dict[str, Any]) -> int:
    waiting = gateway.get("waiting", 0)
    return sum(waiting.values()) if isinstance(waiting, dict) else int(waiting)


def device_rows(state: LiveState) -> list[tuple[str, ...]]:
    """A row for each, by `DEVICE_TITLES`."""
    return [_device(row) for row in state.as_json()["devices"]]


def _device(row: dict[str, Any]) -> tuple[str, ...]:
    busy = row.get("utilization")
    engines = [f"{e['model'] or 'others'} ({e['state']})" for e in row.get("engines", ())]
    return (
        f"{row.get('name') or row['device_id']}",
        bar(row["used_bytes"], row["total_bytes"]),
        size(row["used_bytes"]),
        size(row["budget_bytes"]),
        "-" if busy is None else f"{busy:.0%}",
        ", ".join(engines),
    )


def bar(part: float, whole: float) -> str:
    """A bar of `BAR_CELLS` cells; full where the part is more than the whole."""
    filled = round(min(1.0, part / whole) * BAR_CELLS) if whole else 0
    return "█" * filled + "░" * (BAR_CELLS - filled)


def model_rows(state: LiveState) -> list[tuple[str, ...]]:
    """A row for each, by `MODEL_TITLES`."""
    return [_model(row) for row in state.by_name()]


def _model(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(row["model"]),
        str(row["state"]),
        _rate(row.get("requests_per_second")),
        _ms(row.get("p50_ms")),
        _ms(row.get("p99_ms")),
        str(row.get("in_flight", 0)),
        str(row.get("waiting", 0)),
        size(row["resident_bytes"]) if row.get("resident_bytes") else "",
        _reason(row),
    )


def _reason(row: dict[str, Any]) -> str:
    eta_s = row.get("eta_s")
    expected = f"ready in {eta_s:.0f} s" if eta_s and row["state"] == "loading" else ""
    return "; ".join(part for part in (expected, row.get("reason")) if part)


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1000:.1f} s" if value >= 10_000 else f"{value:.0f} ms"
