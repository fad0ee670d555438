"""Access to the files of a candidate: small ones whole, of large ones what a format asks for."""

from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json

from modelium.common.errors import Incomplete, InvalidModel
from modelium.watcher.listing import Candidate
from modelium.watcher.regular import open_regular

LARGEST_READ_BYTES: Final = 64 << 20


class Files:
    """The files of one candidate by their names within it; calls block."""

    def __init__(self, candidate: Candidate) -> None:
        path = Path(candidate.path)
        self.candidate = candidate
        self.folder = path.parent if candidate.is_file else path
        self.sizes = {file.path: file.size_bytes for file in candidate.files}

    @property
    def title(self) -> str:
        """What it is called on disk."""
        return Path(self.candidate.path).name

    def __contains__(self, name: str) -> bool:
        return name in self.sizes

    def top(self, *endings: str) -> list[str]:
        """The files of its folder itself, not of deeper ones, with such an ending, sorted."""
        return sorted(n for n in self.sizes if "/" not in n and n.lower().endswith(endings))

    def path(self, name: str) -> Path:
        """Where the file lies.

        Raises:
            Incomplete: there is none.
        """
        if name not in self.sizes:
            raise Incomplete(f"{name} is missing")
        return self.folder / name

    def read(self, name: str, *, largest_bytes: int = LARGEST_READ_BYTES) -> bytes:
        """All of a small file.

        Raises:
            InvalidModel: it is missing, too large, or cannot be read.
        """
        try:
            with open_regular(self.path(name)) as opened:
                text = opened.read(largest_bytes + 1)
        except OSError as error:
            raise unreadable(name, error) from None
        if len(text) > largest_bytes:
            raise InvalidModel(f"{name} is too large")
        return text

    def json(self, name: str) -> Any:
        """What a JSON file says.

        Raises:
            InvalidModel: see `read`; or it is no JSON, which one that is being copied is not yet.
        """
        try:
            return from_json(self.read(name))  # unlike json.loads, it refuses endless nesting
        except ValueError:
            raise Incomplete(f"{name} is no JSON") from None


def unreadable(name: str, error: OSError) -> InvalidModel:
    """The refusal for a file that the system does not let us read."""
    remedy = "; chmod a+r makes it so" if isinstance(error, PermissionError) else ""
    return InvalidModel(f"{name} cannot be read ({error.strerror}){remedy}")
