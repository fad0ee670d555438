"""Examinations of what engines run on: the driver's GPUs, the Docker Engine, both together.

The agent's own program looks, since the libraries for it are the agent's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from modelium.cli.finding import Finding, Patient, Verdict, failed, fine, warning
from modelium.cli.show import size
from modelium.common.settings import LauncherKind

PROGRAM: Final = "modelium.runtime_agent.host_report"
DRIVER: Final = Path("/proc/driver/nvidia/version")
DOCKER_SOCKET: Final = "/var/run/docker.sock"
API_AT_LEAST: Final = (1, 41)
TOOLKIT: Final = (
    "Install the NVIDIA Container Toolkit, then: "
    "nvidia-ctk runtime configure --runtime=docker && systemctl restart docker"
)


def engines_ground(patient: Patient) -> Iterator[Finding]:
    """GPUs, Docker, and whether containers get the GPUs."""
    report = ask()
    yield from judged(patient, report)


def ask() -> dict[str, Any]:
    """What the agent's program says; `error` where it cannot run."""
    command = [sys.executable, "-m", PROGRAM]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        report: dict[str, Any] = json.loads(asked.stdout)
    except subprocess.CalledProcessError as wrong:
        return {"error": (wrong.stderr.strip().splitlines() or ["no reason"])[-1]}
    except (OSError, ValueError, subprocess.TimeoutExpired) as wrong:
        return {"error": str(wrong)}
    return report


def judged(patient: Patient, report: dict[str, Any]) -> Iterator[Finding]:
    """Findings from such a report; pure but for a look at files of the driver and of Docker."""
    if "error" in report:
        text = f"cannot be examined here ({report['error']})"
        yield warning("gpu", text, 'Install the agent: pip install ".[runtime-agent]"')
        return
    in_containers = patient.settings.runtime_agent.launcher is LauncherKind.DOCKER
    yield _gpu(report["nvml"], wanted=patient.settings.gpu.enabled)
    yield _docker(report["docker"], needed=in_containers)
    has_gpus = bool(report["nvml"].get("gpus")) and patient.settings.gpu.enabled
    if in_containers and has_gpus and "error" not in report["docker"]:
        yield _gpu_containers(report["docker"])


def _gpu(nvml: dict[str, Any], *, wanted: bool) -> Finding:
    if not wanted:
        return fine("gpu", "not looked for (gpu.enabled is false)")
    if nvml.get("gpus"):
        gpus = ", ".join(f"{gpu['name']} ({size(gpu['bytes'])})" for gpu in nvml["gpus"])
        major, minor = divmod(int(nvml["cuda"]) // 10, 100)
        return fine("gpu", f"driver {nvml['driver']}, CUDA {major}.{minor}: {gpus}")
    if DRIVER.exists():
        text = f"a driver is loaded, but NVML finds no GPU ({nvml.get('error', 'none is there')})"
        remedy = "Driver and its library have to be of one version: reboot after an update."
        return failed("gpu", text, remedy)
    return fine("gpu", "none here; engines run on the CPU")


def _docker(docker: dict[str, Any], *, needed: bool) -> Finding:
    if error := docker.get("error"):
        text, remedy = _why_away(str(error))
        if needed:
            return failed("docker", text, remedy)
        return fine("docker", f"{text}; not needed (runtime_agent.launcher is process)")
    api = tuple(int(part) for part in str(docker["api"]).split(".") if part.isdigit())
    text = f"version {docker['version']}, API {docker['api']}"
    if api < API_AT_LEAST:
        bad = Verdict.FAILED if needed else Verdict.WARNING
        return Finding("docker", bad, f"{text} is too old", "Install Docker 20.10 or newer.")
    return fine("docker", text)


def _why_away(error: str) -> tuple[str, str]:
    url = os.environ.get("DOCKER_HOST", f"unix://{DOCKER_SOCKET}")
    path = Path(urlsplit(url).path)
    if not url.startswith("unix://"):
        return f"nobody answers at {url} ({error})", "Start it, or correct DOCKER_HOST."
    if not path.exists():
        return f"no engine at {path}", "Start it: systemctl start docker."
    if not os.access(path, os.R_OK | os.W_OK):
        remedy = "usermod -aG docker $(id -un), then log in again"
        return f"{path} may not be used by this user", remedy
    return f"{path} is there but nobody answers", "Start it: systemctl start docker."


def _gpu_containers(docker: dict[str, Any]) -> Finding:
    if "nvidia" in docker["runtimes"]:
        return fine("gpu containers", "Docker has the runtime nvidia")
    if any(device.startswith("nvidia.com/gpu") for device in docker["cdi"]):
        return fine("gpu containers", "Docker knows the GPUs by CDI")
    runtimes = ", ".join(docker["runtimes"])
    return failed("gpu containers", f"Docker cannot hand GPUs on (runtimes: {runtimes})", TOOLKIT)
