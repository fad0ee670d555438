"""What single examinations of `modelium doctor` and `config check` say."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from modelium.cli.commands import app
from modelium.cli.finding import Patient, Verdict
from modelium.cli.findings import engine, folders
from modelium.cli.layout import Layout
from modelium.common.load_settings import Settings


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.safetensors"], "a.safetensors is readable by its owner only"),
        (["a.safetensors", "b.json"], " and 1 more are readable by their owner only"),
    ],
)
def test_files_that_engines_may_not_read_are_counted(
    tmp_path: Path, names: list[str], said: str
) -> None:
    (tmp_path / "vit").mkdir()
    for name in names:
        (tmp_path / "vit" / name).touch(0o600)
    discovery = {"watch_directories": [str(tmp_path)]}
    settings = Settings.model_validate({"orchestration": {"model_discovery": discovery}})
    found = list(folders(Patient(settings, None, Layout(tmp_path))))
    assert found[-1].text.endswith(said)
    assert found[-1].remedy == f"chmod -R a+rX {tmp_path}/*"


def test_nobody_is_told_to_remove_an_interpreter_of_his_own(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    settings = Settings.model_validate({"vllm": {"python": str(python)}})
    (found,) = engine(Patient(settings, None, Layout(tmp_path)))
    assert found.text.endswith("has no vLLM")
    assert found.remedy == "Correct or remove vllm.python and run scripts/bootstrap."


def test_unfinished_uploads_are_private_on_purpose(tmp_path: Path) -> None:
    uploads = tmp_path / ".modelium-uploads"
    uploads.mkdir(mode=0o700)
    (uploads / "lock").touch(0o600)
    discovery = {"watch_directories": [str(tmp_path)]}
    settings = Settings.model_validate({"orchestration": {"model_discovery": discovery}})
    found = list(folders(Patient(settings, None, Layout(tmp_path))))
    assert [finding.verdict for finding in found] == [Verdict.OK]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gateway: {port: 1}", "1 setting, all right"),
        ("gateway: {port: 1}\nhealth: {brain_port: 2}", "2 settings, all right"),
    ],
)
def test_the_settings_of_a_file_are_counted(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "modelium.yaml"
    file.write_text(text)
    shown = CliRunner().invoke(app, ["config", "check", "--config", str(file)])
    assert shown.output.strip().endswith(said)
