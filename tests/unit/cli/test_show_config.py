"""`modelium config show`: types and values in words, secrets hidden."""

import json
from pathlib import Path

import pytest

from modelium.cli.settings_list import settings_list
from modelium.cli.show_config import show_config

FILE = """
gateway:
  key_pepper: a very secret pepper
  organizations:
    acme: {requests_per_minute: 60, concurrent_requests: 4}
    free: {}
redis: {url: "redis://user:letmein@127.0.0.1/0"}
"""


@pytest.fixture(autouse=True)
def no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELIUM_URL", "http://127.0.0.1:1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "modelium.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("gateway.limits.requests_per_minute", "integer above 0, or empty"),
        ("runtime_agent.cpu_slot_cores", "number above 0, or empty"),
        ("gateway.key_pepper", "secret text, or empty"),
        (
            "gateway.organizations",
            "names, each with a section of `requests_per_minute`, `tokens_per_minute`, "
            "`concurrent_requests`",
        ),
        ("vllm.python", "path, or empty"),
        ("gpu.devices", "list of text"),
        ("gateway.authentication", "auto or keys or none"),
    ],
)
def test_types_are_told_in_words(key: str, kind: str) -> None:
    assert {setting.key: setting.kind for setting in settings_list()}[key] == kind


def test_names_with_sections_are_shown_with_their_origin(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_config(file, origin=True, as_json=False)
    assert (
        "gateway.organizations: {acme: {requests_per_minute: 60, concurrent_requests: 4}, free: {}}"
        f"   # {file}\n"
    ) in capsys.readouterr().out


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_hidden(
    file: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    show_config(file, origin=False, as_json=as_json)
    shown = capsys.readouterr().out
    assert "very secret" not in shown
    assert "letmein" not in shown
    assert "redis://user:***@127.0.0.1/0" in shown
    if as_json:
        assert {each["key"] for each in json.loads(shown)} >= {"gateway.key_pepper"}
