"""Examinations of the machine's limits: room for models, shared memory, file events."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from modelium.cli.finding import Finding, Patient, failed, fine, warning
from modelium.cli.show import size
from modelium.common.settings import MIB, LauncherKind

SHARED_MEMORY: Final = Path("/dev/shm")
INOTIFY: Final = Path("/proc/sys/fs/inotify")
FULL_RATIO: Final = 0.02
SPARE_WATCHES: Final = 1000
SPARE_INSTANCES: Final = 16


def model_disk(patient: Patient) -> Iterator[Finding]:
    """Whether models can still be copied; each disk once."""
    seen: set[int] = set()
    for folder in patient.settings.orchestration.model_discovery.watch_directories:
        if folder.is_dir() and (disk := folder.stat().st_dev) not in seen:
            seen.add(disk)
            yield _room(folder)


def _room(folder: Path) -> Finding:
    disk = shutil.disk_usage(folder)
    text = f"{size(disk.free)} of {size(disk.total)} free at {folder}"
    if disk.free < disk.total * FULL_RATIO:
        return warning("model disk", text, "Make room, or watch a folder on another disk.")
    return fine("model disk", text)


def shared_memory(patient: Patient, folder: Path = SHARED_MEMORY) -> Iterator[Finding]:
    """Processes of an engine hand tensors on by it; a container has its own, by the settings."""
    needed = patient.settings.vllm.shm_bytes
    if patient.settings.runtime_agent.launcher is LauncherKind.DOCKER:
        yield fine("shared memory", f"{size(needed)} for each engine (vllm.shm_bytes)")
        return
    if not folder.is_dir():
        yield failed("shared memory", f"there is no {folder}", f"mount -t tmpfs tmpfs {folder}")
        return
    disk = shutil.disk_usage(folder)
    text = f"{size(disk.free)} of {size(disk.total)} free at {folder}"
    if disk.free < min(needed, 64 * MIB):
        yield failed("shared memory", text, f"mount -o remount,size={needed // MIB}m {folder}")
    elif disk.free < needed:
        yield warning("shared memory", text, f"mount -o remount,size={needed // MIB}m {folder}")
    else:
        yield fine("shared memory", text)


def file_events(patient: Patient, limits: Path = INOTIFY) -> Iterator[Finding]:
    """Without them new models are found by looking again and again only, which works too."""
    discovery = patient.settings.orchestration.model_discovery
    folders = sum(1 for root in discovery.watch_directories for _ in os.walk(root))
    watches, instances = (_limit(limits / f"max_user_{kind}") for kind in ("watches", "instances"))
    if watches is None or instances is None:
        yield fine("file events", "none here; folders are looked at instead")
        return
    text = f"{folders} folders, {watches} watches and {instances} instances per user"
    if watches < folders + SPARE_WATCHES:
        remedy = f"sysctl fs.inotify.max_user_watches={2 * (folders + SPARE_WATCHES)}"
        yield warning("file events", text, remedy)
    elif instances < SPARE_INSTANCES:
        yield warning("file events", text, "sysctl fs.inotify.max_user_instances=128")
    else:
        yield fine("file events", text)


def _limit(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
