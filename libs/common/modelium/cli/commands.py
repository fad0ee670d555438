"""The words and options of the `modelium` command; what they do is in the other modules.

Those are imported when their command runs, so that `--help` and completion stay quick.
"""

from typing import Annotated

import typer

from modelium.cli.access_commands import keys_app, usage
from modelium.cli.brain_commands import brain_app
from modelium.cli.live_commands import bench, events, pull, top
from modelium.cli.options import (
    AsJson,
    Config,
    gateway_client,
    log_names,
    model_names,
    service_names,
    tell_version,
)
from modelium.cli.replay_commands import record, replay
from modelium.cli.signing_commands import sign, verify

HELP = """Many models, few GPUs, one OpenAI-compatible API.

Commands that ask the gateway find it at $MODELIUM_URL, else where the settings say, and send
$MODELIUM_API_KEY if it is set.
Exit codes: 0 done, 1 failed, 2 wrong usage, 69 something needed is not there, 77 not allowed,
78 wrong settings."""

app = typer.Typer(
    name="modelium",
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Show, check and apply the settings.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(keys_app, name="keys")
app.add_typer(brain_app, name="brain")

Model = Annotated[str, typer.Argument(help="Name of a model.", autocompletion=model_names)]


@app.callback()
def every(
    version: Annotated[
        bool,
        typer.Option("--version", callback=tell_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """What comes before the command's word."""


@app.command()
def up(
    config: Config = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it runs.")] = False,
    sample: Annotated[
        bool, typer.Option("--sample/--no-sample", help="Drop a sample model if there is none.")
    ] = True,
) -> None:
    """Start NATS, Redis and all services as processes of this machine.

    What it keeps is in .modelium of the working directory. A second `up` shows what runs.
    """
    from modelium.cli.layout import Layout
    from modelium.cli.up import up as start
    from modelium.common.load_settings import load_with_origins

    start(load_with_origins(config), Layout.here(), detach=detach, sample=sample)


@app.command()
def down(as_json: AsJson = False) -> None:
    """Stop everything that `up` started here, and leave no process behind."""
    from modelium.cli.console import out_json, say
    from modelium.cli.down import down_on_demand as stop
    from modelium.cli.layout import Layout

    stopped = stop(Layout.here())
    if as_json:
        out_json({"stopped": stopped})
    else:
        say("Modelium is stopped." if stopped else "Modelium does not run here.")


@app.command()
def status(config: Config = None, as_json: AsJson = False) -> None:
    """Show the processes that `up` started here, and the gateway's view of the system."""
    from modelium.cli.layout import Layout
    from modelium.cli.show import show_status

    show_status(gateway_client(config), Layout.here(), as_json=as_json)


@app.command()
def models(config: Config = None, as_json: AsJson = False) -> None:
    """List the models, their states, and why one does not serve."""
    from modelium.cli.show import show_models

    show_models(gateway_client(config), as_json=as_json)


Wait = Annotated[bool, typer.Option("--wait", help="Return when it is done.")]


@app.command()
def load(model: Model, config: Config = None, wait: Wait = False, as_json: AsJson = False) -> None:
    """Ask for a model to be loaded into memory."""
    from modelium.cli.change import load as ask

    ask(gateway_client(config), model, wait=wait, as_json=as_json)


@app.command()
def unload(
    model: Model, config: Config = None, wait: Wait = False, as_json: AsJson = False
) -> None:
    """Ask for a model to be drained and taken out of memory."""
    from modelium.cli.change import unload as ask

    ask(gateway_client(config), model, wait=wait, as_json=as_json)


@app.command()
def sleep(model: Model, config: Config = None, wait: Wait = False, as_json: AsJson = False) -> None:
    """Ask for a model to be put to sleep: it gives its memory back, and is soon awake again."""
    from modelium.cli.change import sleep as ask

    ask(gateway_client(config), model, wait=wait, as_json=as_json)


@app.command()
def retry(model: Model, config: Config = None, wait: Wait = False, as_json: AsJson = False) -> None:
    """Ask for a model that has failed to be loaded now, as if it had never failed."""
    from modelium.cli.change import retry as ask

    ask(gateway_client(config), model, wait=wait, as_json=as_json)


@app.command()
def pin(model: Model, config: Config = None, as_json: AsJson = False) -> None:
    """Have a model always loaded: it gives way to no other."""
    from modelium.cli.change import pin as ask

    ask(gateway_client(config), model, pinned=True, as_json=as_json)


@app.command()
def unpin(model: Model, config: Config = None, as_json: AsJson = False) -> None:
    """Take back a pin; the model is unloaded only when something else needs its memory."""
    from modelium.cli.change import pin as ask

    ask(gateway_client(config), model, pinned=False, as_json=as_json)


@app.command()
def plan(model: Model, config: Config = None, as_json: AsJson = False) -> None:
    """Show what would happen if a model were asked for now, and who would give way."""
    from modelium.cli.plan import show_plan

    show_plan(gateway_client(config), model, as_json=as_json)


@app.command()
def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|REQUEST|DECISION",
            help="Name of a model, an x-request-id, or id of a decision.",
            autocompletion=model_names,
        ),
    ],
    config: Config = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=100, help="Newest decisions of a model.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what happened to a model or a request, or what a decision was, and why."""
    from modelium.cli.explain import show_explanation

    show_explanation(gateway_client(config), what, limit, as_json=as_json)


@app.command()
def run(
    model: Model,
    prompt: Annotated[str | None, typer.Argument(help="Left out: a conversation.")] = None,
    config: Config = None,
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="0: always the same.")] = None,
    as_json: AsJson = False,
) -> None:
    """Chat with a model; it is loaded if need be."""
    from modelium.cli.chat import Options, chat

    options = Options(system=system, max_tokens=max_tokens, temperature=temperature)
    chat(gateway_client(config), model, prompt, options, as_json=as_json)


@app.command()
def logs(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A service, nats, redis, or a model; left out: all.", autocompletion=log_names
        ),
    ] = None,
    config: Config = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines to begin with.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show logs of what `up` started here; for a model, those of its newest engine, anywhere."""
    from modelium.cli.layout import Layout
    from modelium.cli.logs import show_logs
    from modelium.common.load_settings import load as load_settings

    show_logs(
        load_settings(config), Layout.here(), what, lines=lines, follow=follow, as_json=as_json
    )


app.command("top")(top)
app.command("events")(events)
app.command("pull")(pull)
app.command("bench")(bench)
app.command("usage")(usage)
app.command("sign")(sign)
app.command("verify")(verify)
app.command("replay")(replay)
app.command("record")(record)


@app.command()
def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Look for what is wrong on this machine, and say what to do about it."""
    from modelium.cli.doctor import examine

    raise typer.Exit(examine(config, as_json=as_json))


@app.command()
def health(
    service: Annotated[
        str, typer.Argument(help="For example registry.", autocompletion=service_names)
    ],
) -> None:
    """Ask a service on this machine whether it is ready; exit code 0 or 1."""
    from modelium.cli.health import is_ready

    raise typer.Exit(0 if is_ready(service) else 1)


@config_app.command("show")
def config_show(
    config: Config = None,
    origin: Annotated[bool, typer.Option("--origin", help="Where each value is set.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print every setting with unit, default, description and value."""
    from modelium.cli.show_config import show_config

    show_config(config, origin=origin, as_json=as_json)


@config_app.command("check")
def config_check(config: Config = None, as_json: AsJson = False) -> None:
    """Check file and environment; names every problem, exit code 78 if there is one."""
    from modelium.cli.show_config import check_config

    check_config(config, as_json=as_json)


@config_app.command("apply")
def config_apply(
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what changes.")] = False,
    policies_only: Annotated[
        bool,
        typer.Option("--policies-only", help="Although the file says more that needs a restart."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have the running system go by the file's orchestration.policies, without a restart."""
    from modelium.cli.apply_config import apply_config

    apply_config(config, dry_run=dry_run, policies_only=policies_only, as_json=as_json)
