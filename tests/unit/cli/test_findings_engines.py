"""What `modelium doctor` makes of the agent's report about GPUs and Docker."""

from pathlib import Path
from typing import Any

import pytest

from modelium.cli.finding import Patient, Verdict
from modelium.cli.findings_engines import ask, judged
from modelium.cli.layout import Layout
from modelium.common.load_settings import Settings

GPU = {"driver": "575.1", "cuda": 12090, "gpus": [{"name": "NVIDIA L4", "bytes": 24 << 30}]}
DOCKER: dict[str, Any] = {"version": "28.2", "api": "1.50", "runtimes": ["runc"], "cdi": []}
NO_GPU = {"error": "NVML Shared Library Not Found"}
OK, WARNING, FAILED = Verdict.OK, Verdict.WARNING, Verdict.FAILED


def found(report: dict[str, Any], launcher: str = "docker", **gpu: Any) -> dict[str, Any]:
    settings = Settings.model_validate({"runtime_agent": {"launcher": launcher}, "gpu": gpu})
    patient = Patient(settings, None, Layout(Path.cwd()))
    return {f.subject: (f.verdict, f.text, f.remedy) for f in judged(patient, report)}


@pytest.mark.parametrize(
    ("docker", "launcher", "verdict", "says"),
    [
        (DOCKER, "docker", OK, "version 28.2, API 1.50"),
        ({**DOCKER, "api": "1.40"}, "docker", FAILED, "too old"),
        ({**DOCKER, "api": "1.40"}, "process", WARNING, "too old"),
        ({"error": "x"}, "docker", FAILED, "no engine at /nowhere.sock"),
        ({"error": "x"}, "process", OK, "not needed"),
    ],
)
def test_docker_is_judged_by_whether_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
    docker: dict[str, Any],
    launcher: str,
    verdict: Verdict,
    says: str,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    said = found({"nvml": NO_GPU, "docker": docker}, launcher)["docker"]
    assert said[0] is verdict
    assert says in said[1]
    assert bool(said[2]) is (verdict is not OK)


@pytest.mark.parametrize(
    ("docker", "verdict", "says"),
    [
        (DOCKER, FAILED, "cannot hand GPUs on (runtimes: runc)"),
        ({**DOCKER, "runtimes": ["nvidia", "runc"]}, OK, "the runtime nvidia"),
        ({**DOCKER, "cdi": ["nvidia.com/gpu=all"]}, OK, "by CDI"),
    ],
)
def test_gpus_need_a_docker_that_hands_them_on(
    docker: dict[str, Any], verdict: Verdict, says: str
) -> None:
    said = found({"nvml": GPU, "docker": docker})
    assert said["gpu"][1] == "driver 575.1, CUDA 12.9: NVIDIA L4 (24.0 GiB)"
    assert said["gpu containers"][0] is verdict
    assert says in said["gpu containers"][1]


@pytest.mark.parametrize(
    ("nvml", "launcher", "gpu"),
    [(NO_GPU, "docker", {}), (GPU, "process", {}), (GPU, "docker", {"enabled": False})],
)
def test_without_gpus_or_containers_nobody_hands_anything_on(
    nvml: dict[str, Any], launcher: str, gpu: dict[str, Any]
) -> None:
    assert "gpu containers" not in found({"nvml": nvml, "docker": DOCKER}, launcher, **gpu)


def test_the_agents_program_says_both_parts_without_gpus_and_without_docker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    report = ask()
    assert report["docker"]["error"]
    assert {"error", "gpus"} & report["nvml"].keys()
