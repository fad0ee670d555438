"""The words and options of `modelium keys` and `modelium usage`."""

from datetime import date
from typing import Annotated

import typer

from modelium.cli.options import AsJson, Config, gateway_client, model_names

keys_app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)

SCOPES = ("inference", "read", "admin")
GROUPS = ("organization", "day", "key", "model")


def _scopes(incomplete: str) -> list[str]:
    return [scope for scope in SCOPES if scope.startswith(incomplete)]


def _groups(incomplete: str) -> list[str]:
    return [group for group in GROUPS if group.startswith(incomplete)]


def _revocable_keys(incomplete: str) -> list[str]:
    from modelium.cli.keys import revocable_keys

    return revocable_keys(incomplete)


def _key_ids(incomplete: str) -> list[str]:
    from modelium.cli.keys import key_ids

    return key_ids(incomplete)


Limit = Annotated[int | None, typer.Option(min=1)]


@keys_app.command("create")
def create(
    config: Config = None,
    organization: Annotated[
        str | None, typer.Option("--organization", "-o", help="Left out: organization.id.")
    ] = None,
    name: Annotated[str, typer.Option(help="For people.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="inference, read or admin (all); repeat it. Left out: inference and read.",
            autocompletion=_scopes,
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Allowed model, or a pattern such as 'qwen*'; repeat it. Left out: all.",
            autocompletion=model_names,
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="30m, 12h, 90d, 8w, or a date. Left out: never.")
    ] = None,
    requests_per_minute: Limit = None,
    tokens_per_minute: Limit = None,
    concurrent_requests: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it, this once. Needs Redis, and no gateway."""
    from modelium.cli.keys import create as make

    make(
        config,
        expires=expires,
        as_json=as_json,
        organization=organization,
        name=name,
        scopes=tuple(scope or SCOPES[:2]),
        models=tuple(model or ()),
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        concurrent_requests=concurrent_requests,
    )


@keys_app.command("list")
def list_keys(config: Config = None, as_json: AsJson = False) -> None:
    """List the API keys there are, revoked and expired ones included."""
    from modelium.cli.keys import list_keys as show

    show(config, as_json=as_json)


@keys_app.command("revoke")
def revoke(
    key: Annotated[
        str,
        typer.Argument(help="Its id as listed, or the key itself.", autocompletion=_revocable_keys),
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """End an API key; gateways stop to accept it at once."""
    from modelium.cli.keys import revoke as end

    end(config, key, as_json=as_json)


def _day(text: str | None) -> str | None:
    """Wrong usage, where it is none."""
    try:
        return None if text is None else date.fromisoformat(text).isoformat()
    except ValueError as wrong:
        raise typer.BadParameter(f"{text!r} is no day; expected one like 2026-01-31") from wrong


def usage(
    config: Config = None,
    organization: Annotated[
        str | None, typer.Option("--organization", "-o", help="Left out: all you may see.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Id of a key.", autocompletion=_key_ids)] = None,
    model: Annotated[str | None, typer.Option(autocompletion=model_names)] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", help="Day, 2026-01-31. Left out: 30 days.", callback=_day),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Day. Left out: today.", callback=_day)
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="organization, day, key, model; repeat it. Left out: all but day.",
            autocompletion=_groups,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show requests, tokens and device time by organisation, key and model."""
    from modelium.cli.usage import show_usage

    filters = {"organization": organization, "key_id": key, "model": model}
    filters |= {"from": first, "to": last}
    groups = by or ("organization", "key", "model")
    show_usage(gateway_client(config), groups, filters, as_json=as_json)
