"""What a shell offers after Tab."""

import json
from collections.abc import Callable

import pytest

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
    ],
)
def test_names_that_are_known_without_a_gateway(
    monkeypatch: pytest.MonkeyPatch, offered: Offered, words: tuple[str, ...], names: list[str]
) -> None:
    monkeypatch.setenv("MODELIUM_URL", NOWHERE)
    assert offered(*words) == names


@pytest.mark.parametrize("command", ["run", "load", "unload", "logs"])
def test_names_of_models(monkeypatch: pytest.MonkeyPatch, offered: Offered, command: str) -> None:
    models = {"models": [{"model": "qwen"}, {"model": "phi"}]}
    with gateway(json.dumps(models)) as (client, _):
        monkeypatch.setenv("MODELIUM_URL", client.url)
        assert offered(command, "q") == ["qwen"]
