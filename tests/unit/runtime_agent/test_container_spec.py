"""How containers are hardened, and what Docker's refusals mean."""

from dataclasses import replace
from pathlib import Path

import pytest

from modelium.common.records import DeviceKind
from modelium.common.settings import LauncherKind
from modelium.runtime_agent.container_spec import (
    RECORD_LABEL,
    ContainerSettings,
    arguments,
    start_problem,
)
from modelium.runtime_agent.host_paths import HostPaths, container_id_in
from modelium.runtime_agent.launcher import EngineRecord, LaunchFailed, LaunchSpec, Site
from tests.agent_kit import MIB, a_record

SETTINGS = ContainerSettings(
    agent_id="local", network="engines", user="2000:0", pids_limit=99, logs=Path("/logs")
)
SPEC = LaunchSpec(
    record=a_record(),
    site=Site(LauncherKind.DOCKER, "/here/qwen", "/models/qwen", "0.0.0.0", 8000),
    argv=("serve",),
    environment={"A": "b"},
    image="engine",
    memory_bytes=256 * MIB,
    shm_bytes=64 * MIB,
    cores=1.5,
)


def test_a_container_can_write_only_to_tmp_and_has_no_privileges() -> None:
    made = arguments(SPEC, SETTINGS, "/host/qwen")
    assert made["read_only"] is True
    assert list(made["tmpfs"]) == ["/tmp"]
    assert made["cap_drop"] == ["ALL"]
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["user"] == "2000:0"
    assert made["pids_limit"] == 99
    assert made["network"] == "engines"


def test_the_model_is_mounted_read_only_whatever_its_folder_is_called() -> None:
    (mount,) = arguments(SPEC, SETTINGS, "/host/qwen:7b:rw")["mounts"]
    assert mount == {
        "Type": "bind",
        "Source": "/host/qwen:7b:rw",
        "Target": "/models/qwen",
        "ReadOnly": True,
    }


def test_limits_are_enforced_without_swap() -> None:
    made = arguments(SPEC, SETTINGS, "/host/qwen")
    assert made["mem_limit"] == made["memswap_limit"] == 256 * MIB
    assert made["shm_size"] == 64 * MIB
    assert made["nano_cpus"] == 1_500_000_000


def test_docker_never_restarts_an_engine_because_exit_0_may_be_a_crash() -> None:
    assert arguments(SPEC, SETTINGS, "/h")["restart_policy"] == {"Name": "no"}


def test_labels_hold_all_that_adoption_needs() -> None:
    label = arguments(SPEC, SETTINGS, "/h")["labels"][RECORD_LABEL]
    assert EngineRecord.model_validate_json(label) == SPEC.record


def test_gpus_are_asked_for_by_uuid() -> None:
    gpu = SPEC.record.model_copy(
        update={"device_kind": DeviceKind.CUDA, "device_ids": ("GPU-1", "GPU-2")}
    )
    (request,) = arguments(replace(SPEC, record=gpu), SETTINGS, "/h")["device_requests"]
    assert request["DeviceIDs"] == ["GPU-1", "GPU-2"]
    assert arguments(SPEC, SETTINGS, "/h")["device_requests"] == []


def test_a_missing_toolkit_is_named() -> None:
    words = 'could not select device driver "nvidia" with capabilities: [[gpu]]'
    assert "NVIDIA Container Toolkit" in start_problem(words)


def test_a_path_is_mapped_by_the_nearest_mount() -> None:
    paths = HostPaths((("/models", "/srv/m"), ("/models/big", "/disk2/big")))
    assert paths.on_host("/models/qwen") == "/srv/m/qwen"
    assert paths.on_host("/models/big/llama") == "/disk2/big/llama"
    assert paths.on_host("/models") == "/srv/m"


@pytest.mark.parametrize("mounts", [(), (("/models", "/srv/m"),)])
def test_a_folder_that_is_not_mounted_into_the_agent_cannot_be_given_to_engines(
    mounts: tuple[tuple[str, str], ...],
) -> None:
    with pytest.raises(LaunchFailed, match="/modelsX/qwen is not mounted into the agent"):
        HostPaths(mounts).on_host("/modelsX/qwen")


def test_outside_of_containers_paths_stay_as_they_are() -> None:
    assert HostPaths().on_host("/models/qwen") == "/models/qwen"


def test_a_container_finds_its_own_id_among_its_mounts() -> None:
    own, other = "a" * 64, "b" * 64
    mounts = (
        f"1 2 8:1 /lib/docker/containers/{other}/x /data rw - ext4 /dev/sda rw\n"
        f"2 2 8:1 /lib/docker/containers/{own}/hostname /etc/hostname rw - ext4 /dev/sda rw\n"
    )
    assert container_id_in(mounts) == own
    assert container_id_in("1 2 8:1 / / rw - ext4 /dev/sda rw\n") is None
