"""The words and options of `modelium replay` and `modelium record`."""

from pathlib import Path
from typing import Annotated

import typer

from modelium.cli.options import AsJson, Config

DEFAULT = "rules,lru,ttl,gdsf,clairvoyant"


def _policies(incomplete: str) -> list[str]:
    from modelium.replay.contenders import NAMES

    begun, comma, last = incomplete.rpartition(",")
    return [begun + comma + name for name in NAMES if name.startswith(last)]


Traces = Annotated[
    list[Path],
    typer.Argument(
        metavar="TRACE...",
        help="CSV files with t_s,model,dur_s, gzipped or not; `generated`: one made up by --seed.",
        show_default=False,
    ),
]


def replay(
    traces: Traces,
    config: Config = None,
    policies: Annotated[
        str,
        typer.Option("--policy", "-p", help="Names with commas.", autocompletion=_policies),
    ] = DEFAULT,
    devices: Annotated[int, typer.Option(min=1, help="How many there are.")] = 8,
    device_gb: Annotated[float, typer.Option(min=0.001, help="Memory of each.")] = 72.0,
    host_gb: Annotated[
        float, typer.Option(min=0, help="Host memory in which Modelium's engines may sleep.")
    ] = 0.0,
    models: Annotated[
        int | None, typer.Option(min=1, help="Only so many, the most used ones.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="Only the first ones.")] = None,
    seed: Annotated[int, typer.Option(help="By which sizes are drawn.")] = 0,
    needs: Annotated[
        Path | None,
        typer.Option("--needs", help="CSV with model,gb,load_s: what `record` has measured."),
    ] = None,
    load_seconds: Annotated[float, typer.Option(min=0, help="A load, whatever its size.")] = 25.0,
    load_gb_per_second: Annotated[float, typer.Option(min=0.01, help="And its size.")] = 2.0,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="HTML file to write with charts.")
    ] = None,
    brain_endpoint: Annotated[
        str, typer.Option(help="Base URL of an OpenAI API, with /v1, for the policy brain.")
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
        Path, typer.Argument(metavar="FILE", help="To write: CSV, gzipped if named .gz.")
    ],
    config: Config = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=1, help="Seconds; left out: until Ctrl-C.")
    ] = None,
) -> None:
    """Record what is asked of the running system, as a trace for `modelium replay`.

    It listens to NATS only. Beside FILE it writes what the models need: memory, and their times of
    loading.
    """
    from modelium.cli.record import record as listen
    from modelium.common.load_settings import load

    listen(load(config), trace, seconds=seconds)
