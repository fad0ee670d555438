"""What an upload says of itself, and which names are refused; pure."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from pathlib import PurePosixPath
from typing import Final

from modelium.common.errors import ModeliumError
from modelium.common.records import MODEL_NAME_PATTERN

MOST_FOLDERS: Final = 8
_LONGEST_PART: Final = 200
"""Bytes; file systems take 255, and folders of staging need some."""
_ODD: Final = frozenset('\\:*?"<>|')
_UNFINISHED: Final = (".part", ".partial", ".tmp", ".temp", ".incomplete", ".lock", ".download")
"""The watcher would wait for such a file for ever."""


class BadUpload(ModeliumError):
    """What is to be uploaded cannot be; the text says why, `param` what is wrong."""

    def __init__(self, text: str, param: str) -> None:
        super().__init__(text)
        self.param = param


def metadata(header: str) -> dict[str, str]:
    """The header `Upload-Metadata`: names, each with its value in Base64.

    Raises:
        BadUpload: it is not.
    """
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = b64decode(value.strip(), validate=True).decode()
        except (NotBase64, UnicodeDecodeError) as wrong:
            text = f"Upload-Metadata: expected the value of {name[:50]!r} as UTF-8 in Base64"
            raise BadUpload(text, "Upload-Metadata") from wrong
    return found


def model_name(told: dict[str, str]) -> str:
    """The model that a file is for; raises BadUpload."""
    name = told.get("model", "")
    if re.fullmatch(MODEL_NAME_PATTERN, name) is None or name.lower().endswith(_UNFINISHED):
        text = (
            f"Upload-Metadata: expected `model` as a name of letters, digits and `._-`, "
            f"that begins with a letter or digit, not {name[:128]!r}"
        )
        raise BadUpload(text, "model")
    return name


def file_path(told: dict[str, str]) -> PurePosixPath:
    """Where in the model's folder a file belongs; raises BadUpload."""
    path = told.get("path", "")
    parts = path.split("/")
    if len(parts) > MOST_FOLDERS + 1:
        raise _bad_path(path, f"has more than {MOST_FOLDERS} folders")
    for part in parts:
        if problem := _problem(part):
            raise _bad_path(path, problem)
    return PurePosixPath(*parts)


def _bad_path(path: str, problem: str) -> BadUpload:
    text = (
        "Upload-Metadata: expected `path` as a path inside the model's folder, such as "
        f"config.json; {path[:200]!r} {problem}"
    )
    return BadUpload(text, "path")


def _problem(part: str) -> str:
    if not part:
        return "has a name that is empty, or begins or ends with /"
    if part.startswith("."):
        return "has a name that begins with a dot"
    if part != part.strip() or not part.isprintable() or not _ODD.isdisjoint(part):
        return 'has a name with spaces around it, control characters, or one of \\:*?"<>|'
    if len(part.encode()) > _LONGEST_PART:
        return f"has a name of more than {_LONGEST_PART} bytes"
    if part.lower().endswith(_UNFINISHED):
        return "has a name of something unfinished"
    return ""
