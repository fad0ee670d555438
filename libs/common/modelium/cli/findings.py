"""The single examinations of `modelium doctor`: each looks at one thing of this machine.

A check yields findings and raises nothing but `ModeliumError`, which becomes a finding too.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from modelium.cli import preflight, programs
from modelium.cli.finding import Finding, Patient, Verdict, fine
from modelium.cli.findings_engines import engines_ground
from modelium.cli.findings_host import file_events, model_disk, shared_memory
from modelium.cli.findings_peers import answering, gateway, is_gateway
from modelium.cli.local_system import answers
from modelium.cli.supervise import Supervisor
from modelium.common.clock import utc_now
from modelium.common.errors import DependencyUnavailable
from modelium.common.settings import GIB, LauncherKind, SandboxPolicy

ENGINE_DISK_BYTES = 6 * GIB
DATA_DISK_BYTES = 2 * GIB


def python(_: Patient) -> Iterator[Finding]:
    """The interpreter and its environment."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield fine("python", f"{version} at {sys.executable}")
    if sys.prefix == sys.base_prefix:
        text = "not in a virtual environment"
        yield Finding("venv", Verdict.WARNING, text, "Use .venv/bin/modelium; `make up` makes it.")
    else:
        yield fine("venv", sys.prefix)


def servers(patient: Patient) -> Iterator[Finding]:
    """NATS and Redis: installed and new enough, or answering where they are elsewhere."""
    for name, url, port in (
        ("nats", patient.settings.nats.url, 4222),
        ("redis", patient.settings.redis.url, 6379),
    ):
        if not programs.is_local(url):
            yield _foreign(name, url, port)
        elif name == "nats":
            yield _versioned(name, preflight.find_nats(), preflight.nats_version)
        else:
            yield _versioned(name, preflight.find_redis(), preflight.redis_version)


def _versioned(name: str, binary: Path, version: Callable[[str], tuple[int, ...]]) -> Finding:
    return fine(name, f"{binary}, version {'.'.join(map(str, version(str(binary))))}")


def _foreign(name: str, url: str, port: int) -> Finding:
    address = programs.server_address(url, f"{name}.url", port)
    if answers(address, readyz=False):
        return fine(name, f"answers at {address.host}:{address.port}")
    text = f"does not answer at {address.host}:{address.port}"
    return Finding(name, Verdict.FAILED, text, f"Start it, or correct {name}.url.")


def ports(patient: Patient) -> Iterator[Finding]:
    """Free, or held by this very system."""
    if Supervisor(patient.layout).is_running():
        yield fine("ports", "held by this system, which is running")
        return
    binaries = programs.Binaries(Path(sys.executable), None, None)
    every = [
        *programs.servers(patient.settings, patient.layout, binaries),
        *programs.services(patient.settings, binaries, patient.config),
    ]
    try:
        preflight.check_ports(every)
    except DependencyUnavailable:
        address = programs.service_address(patient.settings, "gateway")
        if not is_gateway(programs.base_url(address)):
            raise
        text = "held by a Modelium that `up` did not start in this folder"
        yield fine("ports", text)
        return
    yield fine("ports", ", ".join(str(program.address.port) for program in every) + " are free")


def engine(patient: Patient) -> Iterator[Finding]:
    """An interpreter with vLLM and what other models need, for the process launcher."""
    if patient.settings.runtime_agent.launcher is LauncherKind.DOCKER:
        yield fine("engine", f"in containers of {patient.settings.vllm.image}")
        return
    found = preflight.find_engine_python(patient.settings, patient.layout)
    if found is None:
        text = "vllm.enabled and ray_serve.enabled are false"
        yield Finding("engine", Verdict.WARNING, text, "No model can be served.")
        return
    settings = patient.settings
    if settings.vllm.enabled and not _has_package(found, "vllm"):
        what = "Correct or remove vllm.python" if settings.vllm.python else "Remove its folder"
        remedy = f"{what} and run scripts/bootstrap."
        yield Finding("engine", Verdict.FAILED, f"{found} has no vLLM", remedy)
    elif settings.ray_serve.enabled and not _has_package(
        settings.ray_serve.python or found, "onnxruntime"
    ):
        text = f"{found} has vLLM, but not what other models need (onnxruntime)"
        yield Finding("engine", Verdict.WARNING, text, "Run scripts/bootstrap, which completes it.")
    else:
        yield fine("engine", f"{found}")


def _has_package(python: Path, name: str) -> bool:
    return any(python.parent.parent.glob(f"lib/python3*/site-packages/{name}"))


def folders(patient: Patient) -> Iterator[Finding]:
    """The models folders and our own."""
    for folder in patient.settings.orchestration.model_discovery.watch_directories:
        if not folder.exists():
            yield fine("models", f"{folder} is not there yet; `up` makes it")
        elif not os.access(folder, os.R_OK | os.X_OK):
            text = f"{folder} may not be read"
            yield Finding("models", Verdict.FAILED, text, f"chown -R $(id -un) {folder}")
        else:
            yield fine("models", str(folder))
            yield from _unreadable(folder)


def _unreadable(folder: Path) -> Iterator[Finding]:
    """Engines in containers read the files as another user; what is hidden is no model."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    private = [entry for entry in entries if entry.is_dir() and not _enterable(entry)]
    files = (file for entry in entries for file in entry.glob("*"))
    private += [file for file in files if file.is_file() and not _public(file)]
    if private:
        more = len(private) - 1
        which = f"{private[0]} and {more} more are" if more else f"{private[0]} is"
        text = f"{which} readable by {'their' if more else 'its'} owner only"
        yield Finding("models", Verdict.WARNING, text, f"chmod -R a+rX {folder}/*")


def _enterable(folder: Path) -> bool:
    return folder.stat().st_mode & 0o005 == 0o005


def _public(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o004)


def disk(patient: Patient) -> Iterator[Finding]:
    """Room for an engine's installation and for what NATS and Redis keep."""
    place = patient.layout.folder if patient.layout.folder.exists() else Path.cwd()
    free = shutil.disk_usage(place).free
    needed = DATA_DISK_BYTES if patient.layout.engine_python() else ENGINE_DISK_BYTES
    text = f"{free / GIB:.1f} GiB free at {place}"
    if free < needed:
        remedy = f"Make room: {needed / GIB:.0f} GiB are needed."
        yield Finding("disk", Verdict.FAILED, text, remedy)
    else:
        yield fine("disk", text)


def memory(patient: Patient) -> Iterator[Finding]:
    """Whether one engine fits."""
    vllm = patient.settings.vllm
    needed = vllm.overhead_bytes + vllm.kv_cache_bytes
    available = psutil.virtual_memory().available
    text = (
        f"{available / GIB:.1f} GiB available, an engine needs {needed / GIB:.1f} and its weights"
    )
    if available < needed:
        yield Finding(
            "memory", Verdict.WARNING, text, "Stop something, or lower the vllm settings."
        )
    else:
        yield fine("memory", text)


def sandbox(patient: Patient) -> Iterator[Finding]:
    """How well the analysis of model files can be shut in, found out by its own program."""
    command = [sys.executable, "-m", "modelium.watcher.safety"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as wrong:
        yield Finding("sandbox", Verdict.WARNING, f"cannot be examined ({wrong})", "Try again.")
        return
    level, _, remedy = asked.stdout.strip().rpartition("\n")[2].partition(": ")
    if asked.returncode == 0:
        yield fine("sandbox", f"model files are read in one ({level})")
        return
    required = patient.settings.security.sandbox is SandboxPolicy.REQUIRED
    text = f"model files cannot be read in one (only {level or 'nothing'} works)"
    bad = Verdict.FAILED if required else Verdict.WARNING
    yield Finding("sandbox", bad, text, remedy or asked.stderr.strip()[-300:])


def clock(_: Patient) -> Iterator[Finding]:
    """A clock that was never set breaks certificates and makes times unreadable."""
    now = utc_now()
    built = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    if now < built:
        text = f"it says {now:%Y-%m-%d %H:%M} UTC, before these files were written"
        yield Finding("clock", Verdict.WARNING, text, "Set it: timedatectl set-ntp true.")
    else:
        yield fine("clock", f"{now:%Y-%m-%d %H:%M} UTC")


CHECKS = (
    python,
    servers,
    answering,
    ports,
    engine,
    engines_ground,
    folders,
    model_disk,
    disk,
    memory,
    shared_memory,
    file_events,
    sandbox,
    clock,
    gateway,
)
