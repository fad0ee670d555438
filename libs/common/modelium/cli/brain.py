"""`modelium brain status`: who advises, and how well."""

from typing import Any

from modelium.cli.console import out, out_json
from modelium.cli.gateway_client import GatewayClient


def show_brain(client: GatewayClient, *, as_json: bool) -> None:
    """Print it in a few lines."""
    status = client.brain()
    if as_json:
        out_json(status)
        return
    for line in lines(status):
        out(line)


def lines(status: dict[str, Any]) -> list[str]:
    """For people."""
    return [*_advisors(status), *_tuning(status.get("tuning"))]


def _tuning(tuning: dict[str, Any] | None) -> list[str]:
    if tuning is None:
        return []
    replays = f"{tuning['rounds']} replays of the recent demand"
    shown = [f"tuning   {replays}, {tuning['requests']} requests now"]
    if tuning["last"]:
        shown.append(f"result   {tuning['last']}")
    if tuning["changed"]:
        shown.append(f"policies changed: {tuning['changed']}")
    return shown


def _advisors(status: dict[str, Any]) -> list[str]:
    standing = status["standing"]
    if status["backend"] == "rules":
        return ["leader   rules: no language model is configured (modelium_brain.backend)"]
    leader = status["advisor"] if standing["leader"] == "llm" else "rules"
    shown = [
        f"leader   {leader}",
        f"model    {status['advisor']}: asked {status['asked']} times, "
        f"{status['answered']} answers in time",
        f"judged   {standing['compared']} disagreements with the rules since the leader changed, "
        f"{status['undecided']} still open",
    ]
    if standing["compared"]:
        shown.append(f"regret   {standing['regret_s']:+.2f} s of waiting each; below 0 it saved")
    shown.append(f"changes  {standing['promotions']} times to lead, {standing['demotions']} back")
    if status["took_s"] is not None:
        shown.append(f"last     {status['took_s']:.2f} s")
    if status["last_failure"]:
        shown.append(f"failure  {status['last_failure']}")
    return shown
