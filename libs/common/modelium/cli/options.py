"""Options that several commands have, and what they ask the gateway for."""

from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; else $MODELIUM_CONFIG, ./modelium.yaml, ..."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def model_names(incomplete: str) -> list[str]:
    """For shell completion; nothing when there is no gateway."""
    from modelium.cli.gateway_client import GatewayClient
    from modelium.common.errors import ModeliumError
    from modelium.common.load_settings import load

    try:
        names = [page["model"] for page in GatewayClient.of(load()).models()]
    except ModeliumError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def service_names(incomplete: str) -> list[str]:
    """For shell completion."""
    from modelium.cli.programs import SERVICES

    return [name for name in SERVICES if name.startswith(incomplete)]


def event_subjects(incomplete: str) -> list[str]:
    """For shell completion: subjects that the stream of events keeps, and all of a kind."""
    from modelium.common.events import MESSAGES
    from modelium.common.subjects import EVENTS_STREAM, STREAMS, subject_for

    [kinds] = [stream.subjects for stream in STREAMS if stream.name == EVENTS_STREAM]
    named = sorted(subject_for(kind) for kind in MESSAGES)
    kept = [name for name in named if f"{name.partition('.')[0]}.*" in kinds]
    return [name for name in [*kinds, *kept] if name.startswith(incomplete)]


def log_names(incomplete: str) -> list[str]:
    """For shell completion: processes, then models."""
    from modelium.cli.logs import PROCESSES

    processes = [name for name in PROCESSES if name.startswith(incomplete)]
    return processes + model_names(incomplete)


def gateway_client(config: Path | None) -> Any:
    """The gateway's API; see `GatewayClient`."""
    from modelium.cli.gateway_client import GatewayClient
    from modelium.common.load_settings import load

    return GatewayClient.of(load(config))


def tell_version(wanted: bool) -> None:
    """Print it and end, where it is asked for."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"modelium {version('modelium')}")
        raise typer.Exit
