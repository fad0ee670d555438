"""Where `modelium up` keeps what it makes: all below `.modelium` of the working directory."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_LIMIT = 100
"""Bytes; the kernel takes 107, and supervisord adds a suffix while it binds."""


@dataclass(frozen=True)
class Layout:
    """Paths of one local system; the run folder is also the mark its processes carry."""

    folder: Path

    @classmethod
    def here(cls) -> "Layout":
        """The layout of the working directory."""
        return cls(Path.cwd() / ".modelium")

    @property
    def run(self) -> Path:
        """Configuration of the servers and of supervisord; sockets, locks."""
        return self.folder / "run"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.folder / "logs"

    @property
    def data(self) -> Path:
        """What NATS and Redis keep."""
        return self.folder / "data"

    @property
    def engines(self) -> Path:
        """Virtual environments with engines, made by scripts/bootstrap."""
        return self.folder / "engines"

    @property
    def supervisor_config(self) -> Path:
        return self.run / "supervisord.conf"

    @property
    def nats_config(self) -> Path:
        return self.run / "nats.conf"

    @property
    def lock(self) -> Path:
        """Held by the one `modelium up` that may start something; `down` needs nobody's leave."""
        return self.run / "lock"

    @property
    def stopped(self) -> Path:
        """Made by `modelium down`, so that an `up` at work knows why its processes end."""
        return self.run / "stopped"

    @property
    def socket(self) -> Path:
        """Of supervisord; elsewhere when this folder's path is too long for a socket."""
        near = self.run / "supervisor.sock"
        if len(str(near).encode()) <= SOCKET_PATH_LIMIT:
            return near
        digest = hashlib.sha256(str(self.run).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"modelium-{digest}.sock"

    def make(self) -> None:
        """Make the folders; raises OSError when that is not allowed."""
        for folder in (self.run, self.logs, self.data / "nats", self.data / "redis"):
            folder.mkdir(parents=True, exist_ok=True)
        self.run.chmod(0o700)

    def engine_python(self) -> Path | None:
        """The interpreter of the newest engine whose installation is complete."""
        complete = sorted(self.engines.glob("*/.complete"), key=lambda p: p.stat().st_mtime)
        return complete[-1].parent / "bin" / "python" if complete else None
