"""`modelium usage`: what was used, as the gateway tells it."""

from collections.abc import Sequence
from typing import Any, Final

from modelium.cli.console import out, out_json, out_table
from modelium.cli.gateway_client import GatewayClient

TITLES: Final = {"organization": "ORGANIZATION", "day": "DAY", "key_id": "KEY", "model": "MODEL"}
FIGURES: Final = (
    ("requests", "REQUESTS"),
    ("prompt_tokens", "PROMPT TOKENS"),
    ("completion_tokens", "COMPLETION TOKENS"),
    ("device_seconds", "DEVICE S"),
    ("load_seconds", "LOAD S"),
)


def show_usage(
    client: GatewayClient, by: Sequence[str], filters: dict[str, str | None], *, as_json: bool
) -> None:
    """Print a table of it, with a line for all together."""
    by = ["key_id" if name == "key" else name for name in by]
    chosen = {name: value for name, value in filters.items() if value is not None}
    report = client.usage([*chosen.items(), *(("group_by", name) for name in by)])
    if as_json:
        out_json(report)
        return
    out(f"{report['first']} to {report['last']}, days of UTC")
    if not report["usage"]:
        out("Nothing was used.")
        return
    rows = [_row(each, by) for each in report["usage"]]
    rows.append(("total",) + ("",) * (len(by) - 1) + _figures(report["total"]))
    out_table([TITLES[name] for name in by] + [title for _, title in FIGURES], rows)


def _row(usage: dict[str, Any], by: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(usage[name]) for name in by) + _figures(usage)


def _figures(usage: dict[str, Any]) -> tuple[str, ...]:
    return tuple(_number(usage[name]) for name, _ in FIGURES)


def _number(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
