"""The words and options of `modelium top`, `events`, `pull` and `bench`."""

from pathlib import Path
from typing import Annotated

import typer

from modelium.cli.options import AsJson, Config, event_subjects, gateway_client, model_names


def top(
    config: Config = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show devices, models and requests as they are, until q or Ctrl-C.

    In a pipe: a picture for every change, with --json a line.
    """
    from modelium.cli.top import top as show

    show(gateway_client(config), once=once, as_json=as_json)


def events(
    config: Config = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    subject: Annotated[
        list[str] | None,
        typer.Option(
            help="Such as runtime.loaded or 'model.*'; repeat it. Left out: all.",
            autocompletion=event_subjects,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Only of this one.", autocompletion=model_names)
    ] = None,
    count: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Newest events to begin with.")
    ] = 50,
    everything: Annotated[
        bool, typer.Option("--all", help="Also decisions to change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what happened, and with -f what happens; --json is a line for each event."""
    from modelium.cli.events import Wanted, show_events

    wanted = Wanted(tuple(subject or ()), model, everything)
    show_events(gateway_client(config), wanted, count=count, follow=follow, as_json=as_json)


def pull(
    repository: Annotated[
        str, typer.Argument(metavar="HF_ID", help="Such as Qwen/Qwen2.5-0.5B-Instruct.")
    ],
    config: Config = None,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit. Left out: main.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name here. Left out: the repository's.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder. Left out: the first that is watched.")
    ] = None,
    pickles: Annotated[
        bool,
        typer.Option("--pickles", help="Also .bin and .pt, where there is nothing safer."),
    ] = False,
    include: Annotated[
        list[str] | None, typer.Option(help="Also files like this, 'onnx/*'; repeat it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a model from the Hugging Face hub into a watched folder of this machine.

    $HF_TOKEN and $HF_ENDPOINT count. A pull that was interrupted goes on where it stopped.
    """
    from modelium.cli.pull import Wanted
    from modelium.cli.pull import pull as fetch
    from modelium.common.load_settings import load

    folder = to or load(config).orchestration.model_discovery.watch_directories[0]
    wanted = Wanted(repository, revision, name, pickles, tuple(include or ()))
    fetch(wanted, folder, as_json=as_json)


def bench(
    model: Annotated[str, typer.Argument(help="Name.", autocompletion=model_names)],
    config: Config = None,
    concurrency: Annotated[
        str, typer.Option("--concurrency", "-c", help="Requests at once, each with commas a test.")
    ] = "1,4,16",
    requests: Annotated[
        int | None, typer.Option(min=1, help="Requests of each test; instead of --seconds.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time of each test.")] = 10.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 64,
    input_tokens: Annotated[int, typer.Option(min=1, help="About as many are asked.")] = 64,
    as_json: AsJson = False,
) -> None:
    """Load a chat, completion or embedding model with requests, and show how it does.

    Ctrl-C ends it early and shows what there is.
    """
    from modelium.cli.bench import bench as measure

    ended = measure(
        gateway_client(config),
        model,
        _levels(concurrency),
        requests=requests,
        seconds=seconds,
        max_tokens=max_tokens,
        input_tokens=input_tokens,
        as_json=as_json,
    )
    raise typer.Exit(ended)


def _levels(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"--concurrency {text}: expected numbers such as 1,4,16")
    return [int(part) for part in parts]
