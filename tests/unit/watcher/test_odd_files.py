"""Files that are no files, have no end, or ask for all memory: the watcher goes on."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from modelium.watcher.filesystem import ModelFolders
from modelium.watcher.listing import Candidate
from modelium.watcher.scan import Verdict

from . import files, models
from .analysts import InThisProcess

HUGE_BYTES = 100 << 30


def folders(root: Path) -> ModelFolders:
    return ModelFolders([root], supported=(".onnx",), read_by_others=False, analyst=InThisProcess())


async def listed(root: Path) -> Candidate:
    return next(iter((await folders(root).listing()).candidates.values()))


async def inspected(root: Path) -> Verdict:
    return await folders(root).inspect(await listed(root))


async def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    folder = models.write_model(tmp_path / "m")
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    assert (await inspected(tmp_path)).missing == "config.json is missing"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "model.yaml", "vocab.json"])
async def test_what_became_a_pipe_since_it_was_listed_is_not_read(
    tmp_path: Path, name: str
) -> None:
    folder = models.write_model(tmp_path / "m")
    (folder / name).write_bytes(b"{}" * 1000)
    before = await listed(tmp_path)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    found = await folders(tmp_path).inspect(before)
    assert found.name is None
    if name != "model.yaml":
        assert found.missing == f"{name} cannot be read (it is no regular file)"


async def test_an_onnx_file_that_is_a_pipe_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(files.onnx(Random(1)))
    watched = folders(tmp_path)
    before = await watched.listing()
    path.unlink()
    os.mkfifo(path)
    assert (await watched.inspect(before.candidates[str(path)])).missing
    assert not (await watched.listing()).candidates


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "model.yaml"])
async def test_a_file_without_an_end_is_read_in_part(tmp_path: Path, name: str) -> None:
    folder = models.write_model(tmp_path / "m")
    with (folder / name).open("ab") as opened:
        opened.truncate(HUGE_BYTES)
    assert (await inspected(tmp_path)).fingerprint


WITHOUT_MEMORY = """
import asyncio, resource, sys
from pathlib import Path
from tests.unit.watcher.test_odd_files import folders, inspected

async def main():
    before = await inspected(Path(sys.argv[1]))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20),) * 2)
    print(before.missing, (await inspected(Path(sys.argv[2]))).missing, sep="|")

asyncio.run(main())
"""


def test_files_that_take_all_memory_wait(tmp_path: Path) -> None:
    models.write_model(tmp_path / "small" / "m")
    folder = models.write_model(tmp_path / "large" / "m")
    (folder / "vocab.json").write_bytes(b"{" + b" " * (60 << 20) + b"}")
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_MEMORY, tmp_path / "small", tmp_path / "large"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "None|reading it takes more memory than there is"
