"""A package of ours for another interpreter, and nothing else of ours.

The site-packages that it is installed in hold the rest beside it, made for this interpreter.
"""

import importlib.util
from pathlib import Path
from uuid import uuid4

from modelium.common.errors import ModeliumError


class CannotLink(ModeliumError):
    """The package is not installed, or the folder cannot be written."""


def linked_package(package: str, root: Path) -> Path:
    """`root`, made a folder for PYTHONPATH in which `package` is all there is.

    Raises:
        CannotLink: it is not installed, or the folder cannot be written.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise CannotLink(f"{package} is not installed; remedy: scripts/bootstrap")
    source = Path(next(iter(found.submodule_search_locations))).resolve()
    link = root.joinpath(*package.split("."))
    try:
        _ensure_link(link, source)
    except OSError as wrong:
        raise CannotLink(f"{link} cannot be made: {wrong.strerror or wrong}") from wrong
    return root


def _ensure_link(link: Path, source: Path) -> None:
    """A process that starts meanwhile finds the old one or the new one."""
    if link.is_symlink() and link.readlink() == source:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    made = link.with_name(f"{link.name}.{uuid4().hex}")
    made.symlink_to(source)
    made.replace(link)
