"""Where the model host's package is for an engine's interpreter, and nothing else of ours."""

from pathlib import Path
from typing import Final

from modelium.common.linked_package import CannotLink
from modelium.common.linked_package import linked_package as linked
from modelium.runtime_agent.launcher import LaunchFailed

PACKAGE: Final = "modelium.model_host"


def linked_package(folder: Path) -> Path:
    """A folder for PYTHONPATH below `folder`, in which the host's package is all there is.

    Raises:
        LaunchFailed: it is not installed, or the folder cannot be written.
    """
    try:
        return linked(PACKAGE, folder.absolute() / "model-host")
    except CannotLink as wrong:
        raise LaunchFailed(f"{wrong} (runtime_agent.state_directory)") from wrong
