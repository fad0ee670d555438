"""Where the files of a language model are: in a folder, or in the cache of the Hugging Face hub.

Nothing is downloaded: a service that fetches gigabytes when it starts surprises people.
"""

import os
from pathlib import Path
from typing import Final

from modelium.local_llm.errors import CannotLoad

OFFLINE: Final = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
"""Must be set before transformers is imported."""


def folder_of(name: str) -> Path:
    """The folder with the model's files; `name` is its path, or its name on the hub.

    Raises:
        CannotLoad: it is nowhere, or not whole; says where it was looked for.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _whole(folder)
    if folder.is_absolute() or name.startswith(("~", ".")) or name.count("/") != 1:
        raise CannotLoad(f"there is no folder {folder}, in which its model should be")
    return _whole(_cached(name))


def _cached(name: str) -> Path:
    os.environ.update(OFFLINE)
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        raise CannotLoad(
            f"{name} is neither a folder below {Path.cwd()} nor in the Hugging Face cache "
            f"{constants.HF_HUB_CACHE}; fetch it by `hf download {name}`, or let "
            "modelium_brain.model_name name a folder"
        ) from None


def _whole(folder: Path) -> Path:
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    if not any(folder.glob("*.safetensors")):
        missing.append("*.safetensors")
    if missing:
        raise CannotLoad(f"{folder} is no whole model: {', '.join(missing)} is not there")
    return folder
