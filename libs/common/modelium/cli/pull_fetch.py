"""Fetches one file of a repository on a hub, going on with what is there of it.

The library's own download begins a file anew after an interruption, and files have gigabytes.
"""

import hashlib
from pathlib import Path
from typing import Final

from huggingface_hub import constants, hf_hub_download, hf_hub_url
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from modelium.cli.pull_choice import HubFile
from modelium.common.errors import InvalidModel

PART: Final = ".part"


def fetch(repository: str, commit: str, file: HubFile, folder: Path) -> None:
    """Have it in `folder`, whole; raises the library's errors, and `InvalidModel` if it differs."""
    target = folder / file.path
    if target.is_file():
        return
    if file.size > constants.MAX_HTTP_DOWNLOAD_SIZE:  # which the hub gives in pieces only
        hf_hub_download(repository, file.path, revision=commit, local_dir=folder)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    with part.open("ab") as growing:
        http_get(
            hf_hub_url(repository, file.path, revision=commit),
            growing,
            resume_size=growing.tell(),
            headers=build_hf_headers(),
            expected_size=file.size or None,
            displayed_filename=file.path,
        )
    _compare(part, file)
    part.rename(target)


def there(file: HubFile, folder: Path) -> int:
    """How many bytes of it need not be fetched."""
    target = folder / file.path
    if target.is_file():
        return file.size
    part = target.with_name(target.name + PART)
    return part.stat().st_size if part.is_file() else 0


def _compare(part: Path, file: HubFile) -> None:
    if not file.sha256:
        return
    with part.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != file.sha256:
        part.unlink()
        raise InvalidModel(
            f"{file.path} came with other bytes than the hub says it has; nothing of it is kept"
        )
