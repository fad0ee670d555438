"""What the analysing process may read beside the model: Python, its libraries, and Modelium."""

import sys
from pathlib import Path
from typing import Final

import modelium

_SHARED_LIBRARIES: Final = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
_DEVICES: Final = ("/dev/null", "/dev/urandom")


def libraries() -> list[Path]:
    """All of it that is there."""
    found = {sys.prefix, sys.base_prefix, sys.exec_prefix, *modelium_folders()}
    paths = (Path(path) for path in (*sorted(found), *_SHARED_LIBRARIES, *_DEVICES))
    return [path for path in paths if path.exists()]


def modelium_folders() -> list[str]:
    """The folders to import Modelium from, as here; the first that has a module wins."""
    return list(dict.fromkeys(str(Path(part).parent) for part in modelium.__path__))
