"""The words and options of `modelium brain dataset`, `train` and `evaluate`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from modelium.cli.options import AsJson, Config
from modelium.cli.trace_options import DeviceGb, Devices, HostGb, Hours, Needs, Seed, Traces

HeldOut = Annotated[
    float,
    typer.Option(
        min=0.01, max=0.99, help="Share of each trace, its last, that is not learned from."
    ),
]


def dataset(
    traces: Traces,
    out: Annotated[Path, typer.Option(help="The file to write: JSON, an example a line.")],
    config: Config = None,
    held_out: HeldOut = 0.25,
    devices: Devices = 8,
    device_gb: DeviceGb = 72.0,
    host_gb: HostGb = 0.0,
    hours: Hours = None,
    seed: Seed = 0,
    needs: Needs = None,
) -> None:
    """Make examples of traces: what the brain would be asked, and what hindsight answers.

    The last share of each trace is written for judging only, and `evaluate` replays that alone.
    """
    from modelium.cli.brain_dataset import Source, write
    from modelium.common.load_settings import load

    setup = _setup(devices, device_gb, host_gb, seed, needs)
    write(load(config), Source(traces, setup, hours, held_out), out)


def train(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="As `dataset` wrote it.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; one that was begun goes on.")],
    base: Annotated[
        str, typer.Option(help="Folder of an instruct model, or its name in the hub's cache.")
    ] = "",
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="A tiny model that knows nothing yet.")
    ] = False,
    config: Config = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, help="Examples of a step.")] = 8,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=1e-8, max=1, help="Left out: 0.002 from scratch, else 0.0001."),
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0, max=1e5, help="Stop after so many; 0: never.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of weights and order.")] = 0,
) -> None:
    """Train a language model on examples; the same command again goes on where it was interrupted.

    LoRA where the engine's interpreter has peft, else all weights; the result is a folder that
    `modelium_brain.backend: local` can be given.
    """
    from modelium.cli.brain_train import interpreter, train
    from modelium.common.load_settings import load

    if bool(base) == from_scratch:
        raise typer.BadParameter("name one of --base and --from-scratch")
    rate = learning_rate or (2e-3 if from_scratch else 1e-4)
    wanted: dict[str, Any] = {
        "--dataset": dataset,
        "--out": out,
        "--base": base,
        "--steps": steps,
        "--batch": batch,
        "--learning-rate": rate,
        "--minutes": minutes,
        "--seed": seed,
    }
    train(interpreter(load(config)), [f"{name}={value}" for name, value in wanted.items()])


def evaluate(
    traces: Traces,
    model: Annotated[str, typer.Option(help="Folder of the model, as `train` wrote it.")],
    config: Config = None,
    devices: Devices = 8,
    device_gb: DeviceGb = 72.0,
    host_gb: HostGb = 0.0,
    hours: Hours = None,
    seed: Seed = 0,
    needs: Needs = None,
    as_json: AsJson = False,
) -> None:
    """Replay traces with a trained brain that leads, beside the rules, LRU and the clairvoyant.

    Of a trace that it learned from only the part is replayed that was held out.
    """
    from modelium.cli.brain_dataset import Source
    from modelium.cli.brain_evaluate import evaluate
    from modelium.common.load_settings import load

    setup = _setup(devices, device_gb, host_gb, seed, needs)
    evaluate(load(config), Source(traces, setup, hours), model, as_json=as_json)


def _setup(devices: int, device_gb: float, host_gb: float, seed: int, needs: Path | None) -> Any:
    from modelium.replay.contenders import Setup
    from modelium.replay.files import read_needs
    from modelium.replay.parts import GB

    return Setup(
        devices=devices,
        device_bytes=round(device_gb * GB),
        host_bytes=round(host_gb * GB),
        needs=read_needs(needs) if needs else {},
        seed=seed,
    )
