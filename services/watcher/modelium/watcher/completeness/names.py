"""What names say: that somebody still writes a file, and which parts belong together; pure."""

import re
from collections.abc import Iterable
from typing import Final

_ENDINGS: Final = (
    ".part",  # Firefox, curl wrappers, git-lfs
    ".partial",  # rclone, Internet Explorer
    ".tmp",
    ".temp",
    ".incomplete",  # huggingface_hub
    ".crdownload",  # Chromium
    ".opdownload",  # Opera
    ".download",  # Safari
    ".downloading",
    ".filepart",  # WinSCP
    ".aria2",  # the control file of aria2, beside the file at its full length
    ".!qb",  # qBittorrent
    ".!ut",  # uTorrent
    ".gstmp",  # gsutil
    ".lock",
)
_LOCKS_THAT_STAY: Final = frozenset(
    f"{tool}.lock"
    for tool in ("uv", "poetry", "pdm", "pixi", "pipfile", "cargo", "yarn", "flake", "composer")
)
"""Lists of dependencies: they lock nothing."""
_RSYNC: Final = re.compile(r"\..+\.(?=[A-Za-z0-9]*[A-Z0-9])(?!sha\d{3}$)[A-Za-z0-9]{6}")
"""`.name.XXXXXX`, as Chromium's before it knows the name; six small letters are rather a word."""
_AWS: Final = re.compile(r".+\.(?:safetensors|gguf|onnx|pt|pth|pt2|json)\.[0-9A-Fa-f]{8}")
_RSYNC_FOLDERS: Final = frozenset({".~tmp~", ".rsync-partial"})
_GIT: Final = ".git"
_PART: Final = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<ending>\.\w+)")
_MOST_PARTS: Final = 10_000


def is_hidden(name: str) -> bool:
    """Whether tools of the system and downloaders keep their own things under this name."""
    return name.startswith(".")


def is_unfinished(name: str) -> bool:
    """Whether the name of a file or folder says that somebody still writes it."""
    lower = name.lower()
    if lower.endswith(_ENDINGS):
        return lower not in _LOCKS_THAT_STAY
    return bool(_RSYNC.fullmatch(name) or _AWS.fullmatch(name))


def is_unfinished_in(path: str) -> bool:
    """The same for a file somewhere in a model's folder.

    Downloaders leave their locks, but no unfinished file, in hidden folders when they end. Git
    keeps its locks exactly as long as it writes, and other things for ever.
    """
    *folders, name = path.split("/")
    if _GIT in folders:
        return name.endswith(".lock")
    if not _RSYNC_FOLDERS.isdisjoint(folders):
        return True
    if any(map(is_hidden, folders)) and name.endswith(".lock"):
        return False
    return is_unfinished(name) or any(is_unfinished(folder) for folder in folders)


def is_unfinished_beside(name: str, others: Iterable[str]) -> bool:
    """Whether one of the `others` in the same folder is an unfinished file of this name."""
    return any(
        other != name and other.removeprefix(".").startswith(f"{name}.") and is_unfinished(other)
        for other in others
    )


def absent_parts(names: Iterable[str]) -> list[str]:
    """The files that the names of others count: `model-00002-of-00003.gguf` says there are three.

    More than ten thousand are nobody's: such a name counts nothing.
    """
    there = set(names)
    absent: set[str] = set()
    for stem, total, ending in {parts for name in there if (parts := _parts(name))}:
        wanted = (f"{stem}-{n:05}-of-{total:05}{ending}" for n in range(1, total + 1))
        absent.update(name for name in wanted if name not in there)
    return sorted(absent)


def is_part(name: str) -> bool:
    """Whether the name says that the file is one of several."""
    return _parts(name) is not None


def _parts(name: str) -> tuple[str, int, str] | None:
    found = _PART.fullmatch(name)
    if found is None or not 0 < int(found["total"]) <= _MOST_PARTS:
        return None
    return found["stem"], int(found["total"]), found["ending"]
