"""`modelium pull` against a small hub, by the real library and the real command."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelium.common.errors import ExitCode
from modelium.watcher.folders import Lister, Rules
from tests.fake_hub import COMMIT, Hub, serving
from tests.system import free_port, wait_until

WEIGHTS = bytes(range(256)) * 44_000
"""More than the library reads at once, so that what came before a break is kept."""
FILES = {
    "config.json": b"{}",
    "model.safetensors": WEIGHTS,
    "README.md": b"hello",
    "pytorch_model.bin": b"pickle",
    "1_Pooling/config.json": b"{}",
}
RULES = Rules((".safetensors",), read_by_others=True)


@pytest.fixture
def hub() -> Iterator[Hub]:
    repositories = {"ada/small": FILES, "ada/gated": {}, "ada/old": {"a.bin": b"x"}}
    with serving(Hub(repositories, gated=frozenset({"ada/gated"}))) as started:
        yield started


def command(hub: Hub | None, folder: Path, *words: str, **environment: str) -> dict[str, Any]:
    """What a process is started with."""
    at = hub.url if hub else f"http://127.0.0.1:{free_port()}"
    own = {"HF_ENDPOINT": at, "HF_HOME": str(folder / ".home"), "NO_COLOR": "1"}
    return {
        "args": [sys.executable, "-m", "modelium.cli.main", "pull", *words, "--to", str(folder)],
        "env": {**os.environ, **own, **environment},
        "cwd": folder,
        "text": True,
    }


def pull(
    hub: Hub | None, folder: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    started = command(hub, folder, *words, **environment)
    return subprocess.run(**started, capture_output=True, timeout=60)


def seen_by_watcher(folder: Path) -> list[str]:
    return [Path(candidate.path).name for candidate in Lister(RULES).entries(folder)]


def size_of_part(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.part"))


def test_a_model_is_in_the_folder_when_it_is_whole_and_has_what_it_needs(
    hub: Hub, tmp_path: Path
) -> None:
    ended = pull(hub, tmp_path, "ada/small", "--json")
    assert ended.returncode == ExitCode.OK, ended.stderr
    told = json.loads(ended.stdout)
    place = tmp_path / "small"
    assert told == {
        "model": "small",
        "path": str(place),
        "revision": COMMIT,
        "files": 3,
        "bytes": len(WEIGHTS) + 4,
    }
    found = {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}
    wanted = ("config.json", "model.safetensors", "1_Pooling/config.json")
    assert found == {name: FILES[name] for name in wanted}
    assert all(path.stat().st_mode & 0o004 for path in place.rglob("*")), "engines read it too"
    assert "2/3 config.json" in ended.stderr
    assert seen_by_watcher(tmp_path) == ["small"]
    routes = [asked.partition("?")[0].split("/")[1:3] for asked in hub.asked]
    assert all(route in (["api", "models"], ["ada", "small"]) for route in routes), hub.asked


def test_what_was_interrupted_is_not_seen_and_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    words = ("ada/small", "--name", "mine")
    of_another_commit = tmp_path / ".mine.cafe.partial"
    of_another_commit.mkdir()
    hub.stalls["model.safetensors"] = len(WEIGHTS) - 1000
    with subprocess.Popen(**command(hub, tmp_path, *words), stderr=subprocess.PIPE) as begun:
        assert hub.stalled.wait(60)
        wait_until("a part is on the disk", lambda: size_of_part(tmp_path) >= 10 << 20)
        second = pull(hub, tmp_path, *words)
        assert second.returncode == ExitCode.UNAVAILABLE
        assert "Another pull is at work" in second.stderr
        begun.send_signal(signal.SIGINT)
        _, said = begun.communicate(timeout=60)
    assert begun.returncode == 130, said
    assert "the same command goes on" in said
    assert seen_by_watcher(tmp_path) == []
    hub.stalls.clear()
    hub.asked.clear()
    ended = pull(hub, tmp_path, *words)
    assert ended.returncode == ExitCode.OK, ended.stderr
    assert (tmp_path / "mine" / "model.safetensors").read_bytes() == WEIGHTS
    fetched = [asked for asked in hub.asked if "resolve" in asked and asked.startswith("GET")]
    assert [asked.partition(" bytes=")[2] for asked in fetched] == [f"{10 << 20}-"]
    assert seen_by_watcher(tmp_path) == ["mine"]
    assert not of_another_commit.exists()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("ada/none",), ExitCode.FAILURE, "has no model ada/none"),
        (("ada/gated",), ExitCode.PERMISSION, "Ask for it at"),
        (("ada/small", "--revision", "v9"), ExitCode.FAILURE, "has no revision 'v9'"),
        (("ada/old",), ExitCode.FAILURE, "--pickles takes them"),
        (("a/b/c",), ExitCode.USAGE, "'a/b/c' is no name on a hub"),
        (("ada/small", "--name", "../x"), ExitCode.USAGE, "'../x' is no name for a model's"),
        (("ada/small", "--name", "there"), ExitCode.FAILURE, "there is there already"),
    ],
)
def test_what_cannot_be_had_is_told_with_the_way_out(
    hub: Hub, tmp_path: Path, words: tuple[str, ...], code: ExitCode, says: str
) -> None:
    (tmp_path / "there").mkdir()
    ended = pull(hub, tmp_path, *words)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert says in ended.stderr
    assert seen_by_watcher(tmp_path) == ["there"]


def test_a_file_with_other_bytes_is_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.digests["model.safetensors"] = "0" * 64
    ended = pull(hub, tmp_path, "ada/small")
    assert ended.returncode == ExitCode.FAILURE
    assert "model.safetensors came with other bytes" in ended.stderr
    assert not list(tmp_path.rglob("model.safetensors*"))


def test_a_model_that_does_not_fit_is_not_begun(hub: Hub, tmp_path: Path) -> None:
    hub.sizes["model.safetensors"] = 1 << 60
    ended = pull(hub, tmp_path, "ada/small")
    assert ended.returncode == ExitCode.UNAVAILABLE
    assert "1048576.0 TiB are to be fetched" in ended.stderr
    assert not [asked for asked in hub.asked if "resolve" in asked]


@pytest.mark.parametrize("offline", ["", "1"])
def test_without_a_hub_it_says_so_at_once(tmp_path: Path, offline: str) -> None:
    ended = pull(None, tmp_path, "ada/small", HF_HUB_OFFLINE=offline)
    assert ended.returncode == ExitCode.UNAVAILABLE
    assert ("HF_HUB_OFFLINE is set" if offline else "HF_ENDPOINT names another") in ended.stderr
