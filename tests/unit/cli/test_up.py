"""What `modelium up` says once everything runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelium.cli.layout import Layout
from modelium.cli.local_system import LocalSystem
from modelium.cli.supervise import Supervisor
from modelium.cli.up import welcome
from modelium.common.load_settings import Settings
from tests.unit.cli.test_gateway_client import gateway

QWEN = {"model": "qwen", "task": "chat", "size_bytes": 5}
REFUSAL = {"error": {"code": "invalid_api_key", "message": "No API key was given."}}


def said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answer: Any,
    status: int = 200,
    *,
    dropped: bool = True,
) -> str:
    """What is said where a model has been dropped, and the gateway answers so."""
    (tmp_path / "models" / ("qwen" if dropped else ".hidden")).mkdir(parents=True)
    with gateway(json.dumps(answer), status) as (client, _):
        port = int(client.url.rpartition(":")[2])
        settings = Settings.model_validate(
            {
                "gateway": {"port": port},
                "orchestration": {
                    "model_discovery": {"watch_directories": [str(tmp_path / "models")]}
                },
            }
        )
        layout = Layout(tmp_path)
        welcome(LocalSystem(settings, layout, (), Supervisor(layout), {}), sample=False)
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "status", "then"),
    [
        ({"models": [QWEN]}, 200, 'run qwen "Hello!"'),
        ({"models": []}, 200, "No chat model is known yet"),
        (REFUSAL, 401, "export MODELIUM_API_KEY=$("),
    ],
)
def test_it_says_once_where_everything_is_and_then_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: Any, status: int, then: str
) -> None:
    text = said(tmp_path, capsys, answer, status)
    assert text.count("OpenAI API") == 1
    assert then in text.partition("OpenAI API")[2]


def test_an_empty_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "models is empty: cp -r" in said(tmp_path, capsys, {"models": []}, dropped=False)
