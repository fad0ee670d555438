"""`modelium plan`: what would happen if a model were asked for now."""

from typing import Any, Final

from modelium.cli.console import out, out_json, out_table
from modelium.cli.gateway_client import GatewayClient
from modelium.cli.show import size
from modelium.cli.unknown_model import in_our_words

SENTENCES: Final = {
    "route": "{model} is loaded{where}: a request is served at once.",
    "join": "{model} is being loaded{where}: a request joins that load{eta}.",
    "load": "{model} would be loaded{where}{eta}.",
    "wake": "{model} sleeps{where} and would be woken{eta}.",
    "displace": "{model} would be loaded{where} once others have made room{eta}.",
    "wait": "{model} would have to wait.",
    "refuse": "{model} would be refused: waiting cannot help.",
}

SAYS_IT_ALL: Final = {"route", "join"}


def show_plan(client: GatewayClient, model: str, *, as_json: bool) -> None:
    """Print it in a sentence or two, with those that would give way."""
    with in_our_words(client, model):
        plan = client.plan(model)
    if as_json:
        out_json(plan)
        return
    out(_sentence(plan))
    if plan["outcome"] not in SAYS_IT_ALL:
        out(f"  {plan['reason']}")
    if plan["victims"]:
        out()
        out_table(
            ("GIVES WAY", "MEMORY", "IN FLIGHT", "WHY"),
            [_victim_row(victim) for victim in plan["victims"]],
        )


def _sentence(plan: dict[str, Any]) -> str:
    where = f" on {plan['device_name'] or ', '.join(plan['device_ids'])}"
    eta = "" if plan["eta_s"] is None else f" (the last time it took {plan['eta_s']:.0f} s)"
    sentence = SENTENCES.get(plan["outcome"], "{model}: " + str(plan["outcome"]))
    return sentence.format(model=plan["model"], where=where if plan["device_ids"] else "", eta=eta)


def _victim_row(victim: dict[str, Any]) -> tuple[str, str, str, str]:
    reason = f"it {victim['reason']}"
    return str(victim["model"]), size(victim["held_bytes"]), str(victim["in_flight"]), reason
