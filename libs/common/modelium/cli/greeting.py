"""The first thing a new user sees: a sample model dropped into the folder, and its answer."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelium.cli.console import Step, say, step, this_command
from modelium.cli.gateway_client import GatewayClient, Progress, Refused
from modelium.cli.sample import write_sample_model
from modelium.cli.waiting import until
from modelium.common.errors import DependencyUnavailable, InvalidModel, PermissionMissing

SAMPLE = "sample"
PROMPT = "Hello! What do you do?"
KNOWN_TIMEOUT_S = 60.0
ANSWER_TOKENS = 24


def is_empty(folder: Path) -> bool:
    """Whether nothing has been dropped there; hidden files do not count."""
    return not any(not entry.name.startswith(".") for entry in folder.iterdir())


def drop_sample(folder: Path) -> None:
    """Make the sample elsewhere and copy it into `folder`, as a user would."""
    target = folder / SAMPLE
    with (
        step(f"cp -r {SAMPLE} {folder}: two layers, random weights", "dropped"),
        tempfile.TemporaryDirectory() as elsewhere,
    ):
        made = write_sample_model(Path(elsewhere) / SAMPLE)
        copy = subprocess.run(
            ["cp", "-r", str(made), str(target)],
            capture_output=True,
            text=True,
            check=False,
        )
        if copy.returncode:
            raise PermissionMissing(copy.stderr.strip(), f"chown -R $(id -un) {folder}")


def wait_until_known(client: GatewayClient, name: str) -> None:
    """Until the watcher has seen the model and the registry knows what it is."""
    with step(f"{name} is looked at", "ready to be loaded") as shown:
        record = until(lambda: _known(client, name), timeout_s=KNOWN_TIMEOUT_S, step=shown)
        if record is None:
            raise DependencyUnavailable(
                f"{name} was not noticed within {KNOWN_TIMEOUT_S:.0f} s",
                f"{this_command()} logs watcher, {this_command()} logs registry",
            )
        if record["state"] == "rejected":
            raise InvalidModel(f"{name} was rejected: {record.get('reason')}")


def _known(client: GatewayClient, name: str) -> dict[str, Any] | None:
    record = client.model(name)
    return record if record and record["state"] not in {"discovered", "analyzing"} else None


def chat_once(client: GatewayClient, name: str) -> str:
    """Ask the model something, show how it loads meanwhile, and return the answer."""
    with step(f"{name} is loaded for its first request", "answered") as shown:
        messages = [{"role": "user", "content": PROMPT}]
        try:
            pieces = client.chat(name, messages, max_tokens=ANSWER_TOKENS)
            return "".join(_shown(pieces, shown)).strip()
        except Refused as refusal:
            raise DependencyUnavailable(
                f"{name} did not answer: {refusal}",
                f"{this_command()} logs {name} shows its engine's log.",
            ) from refusal


def _shown(pieces: Iterator[Any], shown: Step) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, Progress):
            shown.note(piece.text)
        else:
            yield piece.text


def greet(client: GatewayClient, folder: Path) -> None:
    """Drop the sample, wait for it, chat with it, print the answer."""
    drop_sample(folder)
    wait_until_known(client, SAMPLE)
    answer = chat_once(client, SAMPLE)
    say(f"\n  you:    {PROMPT}")
    say(f"  {SAMPLE}: {answer}", "cyan")
    say("  (Its weights are random, so its words are too.)", "dim")


def hint(client: GatewayClient) -> str:
    """What to do with the models that are there."""
    chat = [page for page in client.models() if page.get("task") == "chat"]
    if not chat:
        return f"No chat model is known yet; `{this_command()} models` lists what there is."
    smallest = min(chat, key=lambda page: int(page.get("size_bytes") or 0))
    return f'Try: {this_command()} run {smallest["model"]} "Hello!"'
