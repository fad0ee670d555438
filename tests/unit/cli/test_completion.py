"""What a shell offers after Tab."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from modelium.cli.commands import app
from tests.unit.cli.test_gateway_client import gateway

NOWHERE = "http://127.0.0.1:1"
Offered = Callable[..., list[str]]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Offered:
    """What bash is told for these words, of which the last is begun."""

    def ask(*words: str) -> list[str]:
        monkeypatch.setenv("_MODELIUM_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(("modelium", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit) as ended:
            app(prog_name="modelium")
        assert ended.value.code == 0
        return capsys.readouterr().out.split()

    return ask


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("logs", "re"), ["registry", "redis"]),
        (("health", "r"), ["registry", "runtime_agent"]),
        (("keys", "create", "--scope", "a"), ["admin"]),
        (("run", "q"), []),
        (("config", "a"), ["apply"]),
        (("config", "apply", "--d"), ["--dry-run"]),
        (("replay", "--policy", "rules,cl"), ["rules,clairvoyant"]),
        (("replay", "--brain-e"), ["--brain-endpoint"]),
        (("rec",), ["record"]),
        (("ev",), ["events"]),
        (
            ("events", "--subject", "decision."),
            ["decision.*", "decision.advisor_changed", "decision.judged", "decision.made"],
        ),
        (("bench", "--conc"), ["--concurrency"]),
        (("pull", "--rev"), ["--revision"]),
    ],
)
def test_names_that_are_known_without_a_gateway(
    monkeypatch: pytest.MonkeyPatch, offered: Offered, words: tuple[str, ...], names: list[str]
) -> None:
    monkeypatch.setenv("MODELIUM_URL", NOWHERE)
    assert offered(*words) == names


@pytest.mark.parametrize("command", ["run", "load", "unload", "logs", "bench"])
def test_names_of_models(monkeypatch: pytest.MonkeyPatch, offered: Offered, command: str) -> None:
    models = {"models": [{"model": "qwen"}, {"model": "phi"}]}
    with gateway(json.dumps(models)) as (client, _):
        monkeypatch.setenv("MODELIUM_URL", client.url)
        assert offered(command, "q") == ["qwen"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_told_how_to_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    monkeypatch.setenv("_MODELIUM_COMPLETE", f"source_{shell}")
    with pytest.raises(SystemExit) as ended:
        app(prog_name="modelium")
    assert ended.value.code == 0
    assert f"complete_{shell}" in capsys.readouterr().out


SAYS_NOTHING = {
    "up": "it starts what runs; `status --json` shows that",
    "health": "it prints the service's own JSON",
    "record": "it writes a file",
    "brain dataset": "it writes a file",
    "brain train": "it writes a folder",
}


def leaves(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command, by its words."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, sub in command.commands.items():
        yield from leaves(sub, f"{name} {word}".strip())


def test_every_command_that_says_something_says_it_as_json_too() -> None:
    commands = dict(leaves(typer.main.get_command(app)))
    without = {
        name
        for name, command in commands.items()
        if not any("--json" in param.opts for param in command.params)
    }
    assert without == SAYS_NOTHING.keys()
