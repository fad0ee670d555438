"""Names that a model's files give for other files: none may lead out of its folder."""

from pathlib import Path, PurePosixPath, PureWindowsPath

from modelium.common.errors import InvalidModel


def require_plain(name: str, said_in: str) -> None:
    """Refuse names that could mean a file elsewhere, on any system.

    Raises:
        InvalidModel: it is absolute, has a drive, climbs with `..`, or is no text.
    """
    parts = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
    windows = PureWindowsPath(name)
    leads_out = name.startswith(("/", "\\", "~")) or bool(windows.drive) or ".." in parts
    if not name.strip() or not name.isprintable() or leads_out:
        raise InvalidModel(f"{said_in} names {name!r}, which leads out of the model's folder")


def require_inside(root: Path, name: str, *, said_in: str = "it") -> Path:
    """Where `name` lies below `root`, links followed; it need not exist.

    Raises:
        InvalidModel: it leads out of `root`, by its name or by a link.
    """
    require_plain(name, said_in)
    try:
        path = (root / name).resolve()
    except (OSError, RuntimeError):
        raise InvalidModel(f"{said_in} names {name!r}, a link that leads nowhere") from None
    if not path.is_relative_to(root.resolve()):
        raise InvalidModel(f"{said_in} names {name!r}, a link that leads out of the model's folder")
    return path
