"""Where the files of a local language model are looked for, by its process in a real child."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelium.cli.sample import write_sample_model

HUB_NAME = "someone/thinker"


def told(folder: Path, model: str) -> str:
    """Why it cannot load; the tests' interpreter has no torch, so it never can."""
    cache = folder / "cache"
    done = subprocess.run(
        [sys.executable, "-m", "modelium.local_llm", "--model", model],
        env={**os.environ, "HF_HOME": str(cache), "HF_HUB_CACHE": str(cache / "hub")},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    return str(json.loads(line)["cannot_load"])


def test_one_that_is_nowhere_is_told_with_the_places_that_were_looked_at(tmp_path: Path) -> None:
    why = told(tmp_path, HUB_NAME)
    assert f"neither a folder below {tmp_path}" in why
    assert str(tmp_path / "cache" / "hub") in why
    assert f"`hf download {HUB_NAME}`" in why


@pytest.mark.parametrize("name", ["/no/such", "./no", "no", "a/b/c"])
def test_a_path_is_not_looked_for_on_the_hub(tmp_path: Path, name: str) -> None:
    assert "there is no folder" in told(tmp_path, name)


def test_a_folder_that_is_not_whole_is_told_with_what_is_missing(tmp_path: Path) -> None:
    (write_sample_model(tmp_path / "half") / "model.safetensors").unlink()
    assert "half is no whole model: *.safetensors is not there" in told(tmp_path, "half")


def test_the_hubs_cache_is_where_a_name_is_found(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "hub" / f"models--{HUB_NAME.replace('/', '--')}"
    write_sample_model(kept / "snapshots" / "1234")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("1234")
    assert "it has to have torch" in told(tmp_path, HUB_NAME)
