"""The words and options of `modelium replay` and `modelium record`."""

from pathlib import Path
from typing import Annotated

import typer

from modelium.cli.options import AsJson, Config
from modelium.cli.trace_options import DeviceGb, Devices, HostGb, Hours, Needs, Seed, Traces

DEFAULT = "rules,lru,ttl,gdsf,clairvoyant"


def _policies(incomplete: str) -> list[str]:
    from modelium.replay.contenders import NAMES

    begun, comma, last = incomplete.rpartition(",")
    return [begun + comma + name for name in NAMES if name.startswith(last)]


PolicyNames = Annotated[
    str,
    typer.Option(
        "--policy",
        "-p",
        help="Which to compare, with commas: those of the default, and brain.",
        autocompletion=_policies,
    ),
]
LoadSeconds = Annotated[
    float,
    typer.Option(
        min=0, max=86_400, help="A load takes so long, where --needs does not say how long,"
    ),
]
LoadSpeed = Annotated[
    float, typer.Option(min=0.01, max=1e6, help="and as long as reading its GB at this speed.")
]


def replay(
    traces: Traces,
    config: Config = None,
    policies: PolicyNames = DEFAULT,
    devices: Devices = 8,
    device_gb: DeviceGb = 72.0,
    host_gb: HostGb = 0.0,
    models: Annotated[
        int | None, typer.Option(min=1, help="Only the requests for so many models, the most used.")
    ] = None,
    hours: Hours = None,
    seed: Seed = 0,
    needs: Needs = None,
    load_seconds: LoadSeconds = 25.0,
    load_gb_per_second: LoadSpeed = 2.0,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="HTML file with charts, to write.")
    ] = None,
    brain_endpoint: Annotated[
        str, typer.Option(help="For the policy brain: base URL of an OpenAI API, with /v1.")
    ] = "",
    brain_model: Annotated[
        str,
        typer.Option(help="The model there; without an endpoint the folder of a local one."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show what policies would have made of recorded requests: who waits, and how long.

    Runs the same decisions as the orchestrator against simulated devices and engines.
    """
    from modelium.cli import replay as command
    from modelium.common.load_settings import load
    from modelium.replay.contenders import Setup
    from modelium.replay.files import read_needs
    from modelium.replay.parts import GB, LoadTime

    setup = Setup(
        devices=devices,
        device_bytes=round(device_gb * GB),
        load_time=LoadTime("given", load_seconds, load_gb_per_second * GB),
        host_bytes=round(host_gb * GB),
        needs=read_needs(needs) if needs else {},
        seed=seed,
    )
    wanted = command.Wanted(traces, command.policies_of(policies), setup, models, hours)
    settings = load(config)
    with command.brain_for(settings, wanted, brain_endpoint, brain_model) as brain:
        command.replay(settings, wanted, brain=brain, plot=plot, json=as_json)


def record(
    trace: Annotated[
        Path, typer.Argument(metavar="FILE", help="The trace to write: CSV, gzipped if named .gz.")
    ],
    config: Config = None,
    seconds: Annotated[
        float | None,
        typer.Option("--for", min=1, max=1e9, help="Seconds to record; left out: until Ctrl-C."),
    ] = None,
) -> None:
    """Record what is asked of the running system, as a trace for `modelium replay`.

    It listens to NATS only. Beside FILE it writes NAME.models.csv: the memory that the models need,
    and how long their loads take.
    """
    from modelium.cli.record import record as listen
    from modelium.common.load_settings import load

    listen(load(config), trace, seconds=seconds)
