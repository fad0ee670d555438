"""Records, logs and caches of engines that are processes, below one folder; all of it blocking.

What an engine puts beside its work into a temporary folder (vLLM: a socket for each of its
processes) is in one of its own, which goes with its record.
"""

import errno
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from modelium.common.frozen import Frozen
from modelium.runtime_agent import process_tree as tree
from modelium.runtime_agent.kept_logs import KeptLogs
from modelium.runtime_agent.launcher import LOGS, EngineRecord
from modelium.runtime_agent.small_files import write_whole

LEAST_FREE_BYTES = 4 * 1024 * 1024
SHORT_PLACE = Path("/tmp")
"""Paths of sockets have at most 107 characters, so not where TMPDIR may lead."""


class ProcessRecord(Frozen):
    """One record file."""

    record: EngineRecord
    marker: str
    port: int
    pid: int | None = None
    start_ticks: int = 0
    boot_id: str = ""
    scratch: Path | None = None
    """Its temporary folder."""

    @property
    def leader(self) -> tree.Identity | None:
        return None if self.pid is None else tree.Identity(self.pid, self.start_ticks, self.boot_id)


class ProcessFiles:
    """Records, logs and caches below one folder; blocking."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.logs = KeptLogs(self.folder / LOGS)

    def _record_path(self, instance: str) -> Path:
        return self.folder / "engines" / f"{instance}.json"

    def ensure_room(self) -> None:
        """Raises OSError if an engine could not write its log: it would not say why it ends."""
        (self.folder / "cache").mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.folder).free < LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def begin(self, kept: ProcessRecord) -> ProcessRecord:
        """Write it, with a new temporary folder; raises OSError."""
        place = SHORT_PLACE if os.access(SHORT_PLACE, os.W_OK) else None
        scratch = Path(tempfile.mkdtemp(prefix="modelium-engine-", dir=place))
        kept = kept.model_copy(update={"scratch": scratch})
        try:
            self.write(kept)
        except OSError:
            scratch.rmdir()
            raise
        return kept

    def write(self, kept: ProcessRecord) -> None:
        """Raises OSError: the disk is full, for example; the record is as it was."""
        write_whole(self._record_path(kept.record.instance_id), kept.model_dump_json())

    def records(self) -> list[ProcessRecord]:
        """All of them; what a killed agent left half written is removed."""
        for left_over in (self.folder / "engines").glob("*.part"):
            left_over.unlink()
        found = []
        for path in sorted((self.folder / "engines").glob("*.json")):
            try:
                found.append(ProcessRecord.model_validate_json(path.read_text()))
            except ValidationError:
                path.unlink()
        return found

    def forget(self, instance: str) -> None:
        path = self._record_path(instance)
        with suppress(FileNotFoundError, ValidationError):
            kept = ProcessRecord.model_validate_json(path.read_text())
            if kept.scratch is not None:
                shutil.rmtree(kept.scratch, ignore_errors=True)
        path.unlink(missing_ok=True)

    def open_log(self, instance: str) -> BinaryIO:
        """A new log; those of engines that were not forgotten are never removed for it."""
        return self.logs.begin(instance, is_needed=lambda i: self._record_path(i).exists())

    def caches(self) -> dict[str, str]:
        """Compiled kernels outlive an engine, below this folder rather than in a home."""
        cache = self.folder / "cache"
        return {
            "VLLM_CACHE_ROOT": str(cache / "vllm"),
            "HF_HOME": str(cache / "huggingface"),
            "TRITON_CACHE_DIR": str(cache / "triton"),
            "TORCHINDUCTOR_CACHE_DIR": str(cache / "torchinductor"),
        }
