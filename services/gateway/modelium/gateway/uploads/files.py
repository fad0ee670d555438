"""Uploads on disk, beside the models and hidden from the watcher; all of it blocking.

Each is a file that grows, and a small one that says what it is. Nothing else is remembered, so that
any worker goes on with what another began. A model's folder is there at once, with all its files.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import uuid4

from pydantic import Field, ValidationError

from modelium.common.errors import ModeliumError
from modelium.common.frozen import Frozen

HIDDEN: Final = ".modelium-uploads"
"""Folder beside the models; watchers look at nothing that begins with a dot."""


class Upload(Frozen):
    """What is known of one file."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    model: str
    path: str
    size_bytes: int = Field(ge=0, description="when it is whole")


class NoSuchUpload(ModeliumError):
    """It never was, is finished, or was given up."""


class Locked(ModeliumError):
    """Somebody else writes there at this moment."""


class InTheWay(ModeliumError):
    """It cannot be as things are; the text says why."""


class NoRoom(ModeliumError):
    """The disk is too full."""


class UploadFiles:
    """The uploads into one directory of models."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._hidden = directory / HIDDEN

    def begin(self, model: str, path: PurePosixPath, size_bytes: int) -> Upload:
        """Make room for a file; one of the same path that was begun before is given up.

        Raises:
            InTheWay: there is such a model.
            NoRoom: it would not fit beside what others have begun.
            OSError: the directory cannot be written.
        """
        self._hidden.mkdir(mode=0o700, exist_ok=True)
        with self._locked():
            self._ensure_new(model)
            begun = self.all()
            for earlier in begun:
                if (earlier.model, earlier.path) == (model, str(path)):
                    self.give_up(earlier.id)
            missing = sum(u.size_bytes - self.offset(u) for u in self.all())
            if missing + size_bytes > shutil.disk_usage(self._hidden).free:
                raise NoRoom(f"there is no room for {size_bytes} bytes where models are kept")
            upload = Upload(id=uuid4().hex, model=model, path=str(path), size_bytes=size_bytes)
            self._data(upload.id).touch()
            self._about(upload.id).write_text(upload.model_dump_json())
        return upload

    def find(self, upload_id: str) -> Upload:
        """Raises NoSuchUpload."""
        try:
            return Upload.model_validate_json(self._about(upload_id).read_text())
        except (FileNotFoundError, ValidationError) as wrong:
            raise NoSuchUpload(f"there is no upload {upload_id}") from wrong

    def all(self) -> list[Upload]:
        """Those that were begun, and neither finished nor given up."""
        found = []
        for about in sorted(self._hidden.glob("*.json")):
            with suppress(NoSuchUpload):
                found.append(self.find(about.stem))
        return found

    def offset(self, upload: Upload) -> int:
        """How many bytes there are."""
        with suppress(FileNotFoundError):
            return self._data(upload.id).stat().st_size
        return 0

    @contextmanager
    def writing(self, upload: Upload) -> Iterator[int]:
        """A file descriptor at the upload's end, for one writer at a time; raises Locked."""
        try:
            descriptor = os.open(self._data(upload.id), os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError as gone:
            raise NoSuchUpload(f"there is no upload {upload.id}") from gone
        try:
            _lock(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    @staticmethod
    def append(descriptor: int, content: bytes) -> None:
        """Write all of it; raises OSError."""
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]

    def give_up(self, upload_id: str) -> None:
        """Throw away what there is of it."""
        self._about(upload_id).unlink(missing_ok=True)
        self._data(upload_id).unlink(missing_ok=True)

    def sweep(self, *, older_than: float) -> None:
        """Give up those to which nothing was added since then (seconds since the epoch)."""
        for upload in self.all():
            with suppress(FileNotFoundError):
                if self._data(upload.id).stat().st_mtime < older_than:
                    self.give_up(upload.id)

    def finish(self, model: str) -> list[Upload]:
        """Have the model's folder appear, with all files that were uploaded for it.

        Raises:
            NoSuchUpload: there are none.
            InTheWay: one is not whole, or there is such a model.
            OSError: the disk; nothing has changed.
        """
        self._hidden.mkdir(mode=0o700, exist_ok=True)
        with self._locked():
            self._ensure_new(model)
            mine = [upload for upload in self.all() if upload.model == model]
            if not mine:
                raise NoSuchUpload(f"nothing was uploaded for {model}")
            _ensure_folders(mine)
            for upload in mine:
                if self.offset(upload) != upload.size_bytes:
                    raise InTheWay(f"the file {upload.path} is not whole yet")
            self._move(model, mine)
        return mine

    def _move(self, model: str, uploads: list[Upload]) -> None:
        staging = self._hidden / f"{uuid4().hex}.folder"
        moved: list[tuple[Path, Path]] = []
        try:
            for upload in uploads:
                source, target = self._data(upload.id), staging / upload.path
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
                moved.append((source, target))
            staging.rename(self._directory / model)
        except OSError:
            for source, target in moved:
                target.rename(source)
            shutil.rmtree(staging, ignore_errors=True)
            raise
        for upload in uploads:
            self.give_up(upload.id)

    def _ensure_new(self, model: str) -> None:
        if os.path.lexists(self._directory / model):
            raise InTheWay(f"there is a model {model} already; remove its folder first")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time over all workers; what is done meanwhile is quick."""
        descriptor = os.open(self._hidden / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _data(self, upload_id: str) -> Path:
        return self._hidden / f"{upload_id}.part"

    def _about(self, upload_id: str) -> Path:
        return self._hidden / f"{upload_id}.json"


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as busy:
        raise Locked("somebody else writes to this upload") from busy


def _ensure_folders(uploads: list[Upload]) -> None:
    """No file may be where another has a folder."""
    files = {PurePosixPath(upload.path) for upload in uploads}
    for file in files:
        for folder in file.parents:
            if folder in files:
                raise InTheWay(f"the file {folder} is also the folder of {file}")
