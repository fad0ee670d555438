"""A brain from nothing: a tiny model learns from one part of a trace, and is judged by the rest."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five models of which two fit, taking turns for forty minutes."""
    folder = tmp_path_factory.mktemp("training")
    lines = [f"{20 * n},m{n % 5},2" for n in range(120)]
    (folder / "turns.csv").write_text("\n".join(["t_s,model,dur_s", *lines]) + "\n")
    needs = "\n".join(["model,gb,load_s", *(f"m{n},10,15" for n in range(5))])
    (folder / "needs.csv").write_text(needs + "\n")
    path = folder / "examples.jsonl"
    brain("dataset", *SOURCE, "--out", path.name, "--held-out", "0.15", at=folder)
    return path


SOURCE = ("turns.csv", "--needs", "needs.csv", "--devices", "1", "--device-gb", "24")


def brain(*words: str, at: Path, code: int = 0) -> Any:
    """`modelium brain`, in a folder; returns what has ended."""
    environment = os.environ | {
        "MODELIUM_VLLM__PYTHON": os.environ["MODELIUM_VLLM_PYTHON"],
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "modelium.cli.main", "brain", *words],
        cwd=at,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def train(dataset: Path, out: str, *, steps: int, code: int = 0, more: tuple[str, ...] = ()) -> Any:
    words = ("train", dataset.name, "--out", out, "--steps", str(steps), "--batch", "2", *more)
    return brain(*words, at=dataset.parent, code=code)


def test_a_brain_learns_from_one_part_of_a_trace_and_is_judged_by_the_other(dataset: Path) -> None:
    parts = [json.loads(line)["part"] for line in dataset.read_text().splitlines()]
    assert set(parts) == {"train", "held_out"}
    said = train(dataset, "model", steps=4, more=("--from-scratch",)).stderr
    assert "step 4 of 4, loss" in said
    again = train(dataset, "model", steps=4, more=("--from-scratch",)).stderr
    assert "goes on after step 4" in again

    words = ("evaluate", *SOURCE, "--model", "model", "--json")
    [result] = json.loads(brain(*words, at=dataset.parent).stdout)
    assert [row["policy"] for row in result["rows"]] == ["rules", "lru", "clairvoyant", "brain"]
    assert {row["requests"] for row in result["rows"]} == {18}
    assert result["asked"] == result["answered"] > 0
    assert result["cpu_s_per_decision"] > 0

    tuned = train(dataset, "tuned", steps=2, more=("--base", "model")).stderr
    assert "(full)" in tuned or "(lora)" in tuned


def test_a_folder_that_was_not_trained_here_is_refused(dataset: Path) -> None:
    words = ("evaluate", *SOURCE, "--model", ".")
    said = brain(*words, at=dataset.parent, code=2).stderr
    assert "expected a folder that `modelium brain train` wrote" in said
