"""The words and options of `modelium brain`."""

import typer

from modelium.cli import brain_learning_commands
from modelium.cli.options import AsJson, Config, gateway_client

brain_app = typer.Typer(help="Ask about the advisor, and train one.", no_args_is_help=True)


@brain_app.command("status")
def status(config: Config = None, as_json: AsJson = False) -> None:
    """Show who leads, the rules or a language model, and how they did beside each other."""
    from modelium.cli.brain import show_brain

    show_brain(gateway_client(config), as_json=as_json)


brain_app.command("dataset")(brain_learning_commands.dataset)
brain_app.command("train")(brain_learning_commands.train)
brain_app.command("evaluate")(brain_learning_commands.evaluate)
