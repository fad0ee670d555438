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


def gateway_client(config: Path | None) -> Any:
    """The gateway's API; see `GatewayClient`."""
    from modelium.cli.gateway_client import GatewayClient
    from modelium.common.load_settings import load

    return GatewayClient.of(load(config))
