"""What hosts leave behind that are killed."""

import subprocess
import sys
from pathlib import Path

from modelium.model_host.ray_folder import ray_folder

KILLED = """
import os, sys
from pathlib import Path
from modelium.model_host.ray_folder import ray_folder
with ray_folder(Path(sys.argv[1])) as folder:
    (folder / "session").mkdir()
    os.kill(os.getpid(), 9)
"""


def test_the_next_host_removes_the_folder_of_one_that_was_killed(tmp_path: Path) -> None:
    """Each had left half a megabyte, for ever."""
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    [left] = tmp_path.iterdir()
    assert (left / "session").is_dir()
    with ray_folder(tmp_path) as folder:
        assert [*tmp_path.iterdir()] == [folder]
    assert not [*tmp_path.iterdir()]


def test_folders_of_hosts_that_live_and_of_others_are_kept(tmp_path: Path) -> None:
    others = [tmp_path / "mh-0", tmp_path / "mr-file", tmp_path / "mr-link"]
    others[0].mkdir()
    others[1].touch()
    others[2].symlink_to(others[0])
    with ray_folder(tmp_path) as first, ray_folder(tmp_path) as second:
        assert first.is_dir()
        assert first.stat().st_mode & 0o777 == 0o700
        assert first != second
    assert sorted(tmp_path.iterdir()) == others
