"""`modelium pull`: fetches a model from a Hugging Face hub into a watched folder.

It grows under a hidden name beside its place, where the watcher does not look, and is moved there
when it is whole. What an interrupted pull has left is gone on with.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelium.cli.console import out, out_json, say
from modelium.cli.pull_choice import HubFile, choose, has_pickles
from modelium.cli.pull_place import growing, make_folder
from modelium.cli.show import size
from modelium.cli.waiting import Stopped, stopped_by_signals
from modelium.common.errors import (
    DependencyUnavailable,
    ExitCode,
    InvalidModel,
    ModeliumError,
    PermissionMissing,
)

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

TIMEOUT_S: Final = 10.0
SPARE_BYTES: Final = 256 << 20
"""Stays free beside the model."""


class WrongName(ModeliumError):
    """What is to be pulled, or its name here, is not one."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class Wanted:
    """What is to be pulled, and what of it; no name: the repository's own."""

    repository: str
    revision: str | None = None
    name: str | None = None
    pickles: bool = False
    include: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The name of its folder here."""
        return self.name or self.repository.rpartition("/")[2]


def pull(wanted: Wanted, folder: Path, *, as_json: bool) -> None:
    """Have the model in `folder`; exit code 69 where no hub can be reached.

    Raises:
        ModeliumError: why it cannot be had, with what can be done.
    """
    if find_spec("huggingface_hub") is None:
        text = "The package huggingface_hub is not installed"
        raise DependencyUnavailable(text, 'pip install ".[pull]"')
    place = _free_place(folder, wanted)
    # The library is to tell the hub nothing but what is wanted; it reads this once.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    with _hub_errors(wanted):
        info = _look_up(wanted)
    files = _chosen(wanted, info)
    total = sum(file.size for file in files)
    with growing(folder, wanted.model, str(info.sha)) as partial:
        _check_disk(files, folder, partial)
        say(f"{wanted.repository} at {str(info.sha)[:12]}: {len(files)} files, {size(total)}")
        _fetch(wanted, info, files, partial)
        partial.rename(place)
    if as_json:
        about = {"model": wanted.model, "path": str(place), "revision": info.sha}
        out_json(about | {"files": len(files), "bytes": total})
    else:
        out(f"{wanted.model} is in {place}; try `modelium run {wanted.model}`.")


def _free_place(folder: Path, wanted: Wanted) -> Path:
    name = wanted.model
    if not name or name.startswith(".") or "/" in name:
        raise WrongName(f"{name!r} is no name for a model's folder; give one by --name")
    place = folder / name
    if place.exists():
        raise InvalidModel(f"{place} is there already; remove it, or give another --name")
    make_folder(folder)
    return place


def _look_up(wanted: Wanted) -> "ModelInfo":
    from huggingface_hub import HfApi

    return HfApi().model_info(
        wanted.repository, revision=wanted.revision, files_metadata=True, timeout=TIMEOUT_S
    )


def _chosen(wanted: Wanted, info: "ModelInfo") -> list[HubFile]:
    every = [
        HubFile(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else "")
        for s in info.siblings or ()
    ]
    if strange := [f.path for f in every if f.path[:1] == "/" or ".." in f.path.split("/")]:
        raise InvalidModel(f"{wanted.repository} names a file outside itself: {strange[0]!r}")
    files = choose(every, pickles=wanted.pickles, include=wanted.include)
    if files:
        return files
    there = "pickles, which can run code when they are read; --pickles takes them"
    if not has_pickles(every):
        there = f"{len(every)} other files; --include takes those of a pattern"
    raise InvalidModel(f"{wanted.repository} has no safetensors and no ONNX, but {there}")


def _check_disk(files: list[HubFile], folder: Path, partial: Path) -> None:
    from modelium.cli.pull_fetch import there

    missing = sum(file.size - there(file, partial) for file in files)
    free = shutil.disk_usage(folder).free
    if missing + SPARE_BYTES > free:
        raise DependencyUnavailable(
            f"{size(missing)} are to be fetched, and {folder} has {size(free)} free",
            "Make room, or name a folder on another disk by --to.",
        )


def _fetch(wanted: Wanted, info: "ModelInfo", files: list[HubFile], partial: Path) -> None:
    """File by file, so that a signal ends it at once; bars on a terminal, else a line each."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    from modelium.cli.pull_fetch import fetch

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        with stopped_by_signals(), _hub_errors(wanted):
            for number, file in enumerate(files, start=1):
                if not sys.stderr.isatty():
                    say(f"  {number}/{len(files)} {file.path} ({size(file.size)})")
                fetch(wanted.repository, str(info.sha), file, partial)
    except Stopped:
        say(f"Stopped; the same command goes on with what is in {partial}.")
        raise


@contextmanager
def _hub_errors(wanted: Wanted) -> Iterator[None]:
    """The library's errors in our words."""
    from huggingface_hub import constants, errors
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # its HTTP client's

    hub, repository = constants.ENDPOINT, wanted.repository
    try:
        yield
    except errors.HFValidationError as wrong:
        raise WrongName(f"{repository!r} is no name on a hub: {wrong}") from wrong
    except errors.GatedRepoError as wrong:
        raise PermissionMissing(
            f"{repository} is given to those only who were let in",
            f"Ask for it at {hub}/{repository}, then set HF_TOKEN to a token of yours.",
        ) from wrong
    except errors.RevisionNotFoundError as wrong:
        raise InvalidModel(f"{repository} has no revision {wanted.revision!r}") from wrong
    except errors.RepositoryNotFoundError as wrong:
        text = f"{hub} has no model {repository}, or shows it only to whom HF_TOKEN names"
        raise InvalidModel(text) from wrong
    except errors.OfflineModeIsEnabled as wrong:
        raise DependencyUnavailable(
            "HF_HUB_OFFLINE is set, so that no hub is asked",
            "Unset it, or copy the model's folder here by other means.",
        ) from wrong
    except (HTTPError, OSError) as wrong:
        raise DependencyUnavailable(
            f"{hub} does not give {repository}: {wrong}",
            "The same command goes on where this one stopped. HF_ENDPOINT names another hub.",
        ) from wrong
