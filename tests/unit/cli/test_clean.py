"""`make clean`: what goes, what stays, and who is asked."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that has run: with keys, a model, and a command that notes what it is told."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "clean", tmp_path / "scripts")
    for folder in (".venv/bin", ".modelium/data/redis", "models/qwen", "libs/__pycache__"):
        (tmp_path / folder).mkdir(parents=True)
    command = tmp_path / ".venv/bin/modelium"
    command.write_text('#!/bin/sh\necho "$@" >>told\n')
    command.chmod(0o755)
    return tmp_path


def clean(checkout: Path, answer: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "clean"],
        cwd=checkout,
        input=answer,
        env={name: value for name, value in os.environ.items() if name != "YES"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("answer", ["", "n\n", "\n", "what\n"])
def test_nothing_is_stopped_or_removed_that_keeps_data_unless_somebody_agrees(
    checkout: Path, answer: str
) -> None:
    """It asked nothing."""
    ended = clean(checkout, answer)
    assert ended.returncode != 0
    assert (checkout / ".modelium/data/redis").is_dir()
    assert not (checkout / "told").exists()
    for word in (".modelium", ".venv", "API keys", "models/"):
        assert word in ended.stdout
    assert ("YES=1" in ended.stderr) is (answer == "")


@pytest.mark.parametrize(("answer", "variables"), [("y\n", {}), ("", {"YES": "1"})])
def test_it_stops_everything_first_and_leaves_the_models(
    checkout: Path, answer: str, variables: dict[str, str]
) -> None:
    assert clean(checkout, answer, **variables).returncode == 0
    assert (checkout / "told").read_text() == "down\n"
    left = {path.name for path in checkout.iterdir()}
    assert left == {"Makefile", "scripts", "models", "libs", "told"}
    assert (checkout / "models/qwen").is_dir()
    assert not (checkout / "libs/__pycache__").exists()


def test_where_nothing_is_kept_nobody_is_asked(checkout: Path) -> None:
    shutil.rmtree(checkout / ".modelium/data")
    assert clean(checkout).returncode == 0
    assert not (checkout / ".venv").exists()
