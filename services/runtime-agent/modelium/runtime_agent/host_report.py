"""Says as JSON what an agent finds here: NVML's driver and GPUs, and the Docker Engine.

`modelium doctor` asks; which of both is needed is for it to judge.
"""

import json
import sys
from typing import Any, Final

import docker
import docker.errors
import pynvml
import requests.exceptions

from modelium.common.errors import ExitCode

TIMEOUT_S: Final = 5


def nvml_report(nvml: Any = pynvml) -> dict[str, Any]:
    """`driver`, `cuda` and `gpus` (name, bytes); else `error`. NVML's own types are opaque."""
    try:
        nvml.nvmlInit()
        handles = [
            nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())
        ]
        return {
            "driver": nvml.nvmlSystemGetDriverVersion(),
            "cuda": nvml.nvmlSystemGetCudaDriverVersion_v2(),
            "gpus": [
                {
                    "name": nvml.nvmlDeviceGetName(handle),
                    "bytes": nvml.nvmlDeviceGetMemoryInfo(handle).total,
                }
                for handle in handles
            ],
        }
    except nvml.NVMLError as wrong:
        return {"error": str(wrong)}


def docker_report() -> dict[str, Any]:
    """`version`, `api`, `runtimes` and `cdi` (devices it knows); else `error`."""
    try:
        client = docker.from_env(timeout=TIMEOUT_S)
        version, info = client.version(), client.info()
    except (docker.errors.DockerException, requests.exceptions.RequestException) as wrong:
        return {"error": str(wrong)}
    return {
        "version": version.get("Version", ""),
        "api": version.get("ApiVersion", ""),
        "runtimes": sorted(info.get("Runtimes") or {}),
        "cdi": [device.get("ID", "") for device in info.get("DiscoveredDevices") or ()],
    }


def main() -> ExitCode:
    """Both, in one document."""
    sys.stdout.write(json.dumps({"nvml": nvml_report(), "docker": docker_report()}) + "\n")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
