"""Where the model host's package is for an engine's interpreter, and nothing else of ours."""

import importlib.util
from pathlib import Path
from typing import Final
from uuid import uuid4

from modelium.runtime_agent.launcher import LaunchFailed

PACKAGE: Final = "modelium.model_host"


def linked_package(folder: Path) -> Path:
    """A folder for PYTHONPATH below `folder`, in which the host's package is all there is.

    The site-packages that it is installed in hold ours beside it, made for another interpreter.

    Raises:
        LaunchFailed: it is not installed, or the folder cannot be written.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise LaunchFailed(
            f"{PACKAGE} is not installed beside the agent; remedy: scripts/bootstrap"
        )
    source = Path(next(iter(found.submodule_search_locations))).resolve()
    root = folder.absolute() / "model-host"
    link = root.joinpath(*PACKAGE.split("."))
    try:
        _ensure_link(link, source)
    except OSError as wrong:
        raise LaunchFailed(
            f"{link} (runtime_agent.state_directory) cannot be made: {wrong.strerror or wrong}"
        ) from wrong
    return root


def _ensure_link(link: Path, source: Path) -> None:
    """An engine that starts meanwhile finds the old one or the new one."""
    if link.is_symlink() and link.readlink() == source:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    made = link.with_name(f"{link.name}.{uuid4().hex}")
    made.symlink_to(source)
    made.replace(link)
