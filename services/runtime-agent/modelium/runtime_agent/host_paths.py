"""Finds where a folder is on the host when this process itself runs in a container.

Docker mounts host folders only; the agent knows its models by the paths inside its own container.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from modelium.runtime_agent.launcher import LaunchFailed

_CONTAINER_ID = re.compile(r"/(?:docker/)?containers/([0-9a-f]{64})/")


@dataclass(frozen=True)
class HostPaths:
    """Mounts of this process's container as (inside, on the host); None outside of containers."""

    mounts: tuple[tuple[str, str], ...] | None = None

    def on_host(self, path: str) -> str:
        """The same file in the host's words.

        Raises:
            LaunchFailed: no mount of this container covers it, so that engines cannot have it.
        """
        if self.mounts is None:
            return path
        inside = PurePosixPath(path)
        covering = [m for m in self.mounts if inside.is_relative_to(m[0])]
        if not covering:
            raise LaunchFailed(
                f"{path} is not mounted into the agent's container: mount the models' folder there"
            )
        target, source = max(covering, key=lambda m: len(PurePosixPath(m[0]).parts))
        return str(PurePosixPath(source) / inside.relative_to(target))


def container_id_in(mountinfo: str) -> str | None:
    """Docker mounts /etc/hostname and its like from the container's own folder on the host."""
    for line in mountinfo.splitlines():
        match = _CONTAINER_ID.search(line)
        if match and "/etc/host" in line:
            return match[1]
    return None


def own_container_id() -> str | None:
    """The id of the container this process runs in; None outside of Docker."""
    if not Path("/.dockerenv").exists():
        return None
    found = container_id_in(Path("/proc/self/mountinfo").read_text())
    return found or Path("/etc/hostname").read_text().strip()
