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
from modelium.runtime_agent.launcher import EngineRecord
from modelium.runtime_agent.small_files import write_whole

TAIL_BYTES = 256 * 1024
KEPT_LOGS = 20
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

    def _record_path(self, instance: str) -> Path:
        return self.folder / "engines" / f"{instance}.json"

    def _log_path(self, instance: str) -> Path:
        return self.folder / "logs" / f"{instance}.log"

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
        """A new log; the oldest beyond `KEPT_LOGS` are removed."""
        path = self._log_path(instance)
        path.parent.mkdir(parents=True, exist_ok=True)
        logs = sorted(path.parent.glob("*.log"), key=_written_ns)
        for old in logs[: max(0, len(logs) - KEPT_LOGS + 1)]:
            if not self._record_path(old.stem).exists():
                old.unlink(missing_ok=True)
        return path.open("wb")

    def log_bytes(self, instance: str) -> int:
        path = self._log_path(instance)
        return path.stat().st_size if path.exists() else 0

    def log_tail(self, instance: str, lines: int) -> tuple[str, ...]:
        path = self._log_path(instance)
        if not path.exists():
            return ()
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return tuple(log.read().decode(errors="replace").splitlines()[-lines:])

    def caches(self) -> dict[str, str]:
        """Compiled kernels outlive an engine, below this folder rather than in a home."""
        cache = self.folder / "cache"
        return {
            "VLLM_CACHE_ROOT": str(cache / "vllm"),
            "HF_HOME": str(cache / "huggingface"),
            "TRITON_CACHE_DIR": str(cache / "triton"),
            "TORCHINDUCTOR_CACHE_DIR": str(cache / "torchinductor"),
        }


def _written_ns(log: Path) -> int:
    """When; engines start at the same time, so another may just have removed it."""
    try:
        return log.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
