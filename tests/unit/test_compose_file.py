"""docker-compose.yml as data: what both generations of compose accept, what must be hardened."""

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from modelium.common.load_settings import load
from tests.system import ROOT

ENGINE_IMAGES = {"engine-cpu", "engine-gpu"}
"""They run /bin/true once, so that `up` builds or pulls the images of the engines."""


def _compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


COMPOSE = _compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RUNNING = {name: s for name, s in SERVICES.items() if name not in ENGINE_IMAGES}


def test_nothing_that_compose_1_29_refuses_is_used() -> None:
    known = {"services", "networks", "volumes"}
    assert {key for key in COMPOSE if not key.startswith("x-")} == known
    for name, service in SERVICES.items():
        assert not {"develop", "gpus", "configs"} & service.keys(), name
        assert "start_interval" not in service.get("healthcheck", {}), name
        for condition in service.get("depends_on", {}).values():
            assert set(condition) == {"condition"}, name


def test_the_agent_for_the_cpu_runs_where_nothing_else_is_said() -> None:
    """`docker compose up` right after the clone has an agent, for the CPU."""
    lines = (ROOT / ".env").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        "COMPOSE_PROJECT_NAME=modelium",
        "COMPOSE_PROFILES=cpu",
    ]


@pytest.mark.parametrize("name", RUNNING)
def test_every_container_is_hardened(name: str) -> None:
    service = RUNNING[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["healthcheck"]["test"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", RUNNING)
def test_only_agents_are_root_and_hold_the_socket(name: str) -> None:
    service = RUNNING[name]
    is_agent = name.startswith("agent-")
    assert service["user"].startswith("0") == is_agent
    mounts = " ".join(str(volume) for volume in service.get("volumes", []))
    assert ("docker.sock" in mounts) == is_agent


@pytest.mark.parametrize("name", ["orchestrator", "registry"])
def test_two_containers_of_a_service_with_a_lease_do_not_get_in_each_others_way(name: str) -> None:
    assert not {"container_name", "ports", "hostname"} & RUNNING[name].keys()


def test_models_are_mounted_read_only_wherever_they_are_mounted() -> None:
    mounts = [str(v) for s in SERVICES.values() for v in s.get("volumes", []) if "/models" in v]
    assert len(mounts) == 3  # the watcher and two agents
    assert all(mount.endswith(":ro") for mount in mounts)


def test_a_missing_docker_socket_is_no_new_folder_on_the_host() -> None:
    """Compose makes the folders that the short form of a mount names."""
    for name in ("agent-cpu", "agent-gpu"):
        (socket,) = (v for v in SERVICES[name]["volumes"] if "docker.sock" in str(v))
        assert socket["type"] == "bind"


def test_only_the_gateway_and_grafana_have_a_port_and_on_loopback() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(ports) == ["gateway", "grafana"]
    assert all(port.startswith("127.0.0.1:") for port in ports["gateway"] + ports["grafana"])


def test_the_bus_and_the_engines_have_no_way_out() -> None:
    networks = COMPOSE["networks"]
    assert networks["bus"]["internal"] is True
    assert networks["engines"]["internal"] is True


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_can_be_another_one(name: str) -> None:
    assert SERVICES[name]["image"].startswith("${")


def test_the_cpu_agent_and_the_gpu_agent_do_not_run_together() -> None:
    assert SERVICES["agent-cpu"]["profiles"] == ["cpu"]
    assert SERVICES["agent-gpu"]["profiles"] == ["gpu"]


def _gpu_agents(*uuids: str) -> dict[str, dict[str, Any]]:
    """What scripts/compose-gpus writes for these GPUs."""
    command = [sys.executable, str(ROOT / "scripts" / "compose-gpus"), *uuids]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    services: dict[str, dict[str, Any]] = yaml.safe_load(written)["services"]
    return services


def test_every_gpu_gets_an_agent_of_its_own() -> None:
    agents = _gpu_agents("GPU-a", "GPU-b", "GPU-c")
    assert list(agents) == ["agent-gpu", "agent-gpu-1", "agent-gpu-2"]
    owned = [json.loads(a["environment"]["MODELIUM_GPU__DEVICES"]) for a in agents.values()]
    assert owned == [["GPU-a"], ["GPU-b"], ["GPU-c"]]
    ids = {agent["environment"]["MODELIUM_RUNTIME_AGENT__ID"] for agent in agents.values()}
    assert len(ids) == 3


def test_a_further_gpu_agent_is_as_hardened_as_the_first() -> None:
    further = _gpu_agents("GPU-a", "GPU-b")["agent-gpu-1"]
    same = SERVICES["agent-gpu"].keys() - {"environment"}
    assert {key: further[key] for key in same} == {key: SERVICES["agent-gpu"][key] for key in same}


def test_the_gateway_can_be_told_to_ask_for_keys() -> None:
    """Its environment beats the settings file, so a fixed word here could not be overruled."""
    environment = SERVICES["gateway"]["environment"]
    assert environment["MODELIUM_GATEWAY__AUTHENTICATION"] == (
        "${MODELIUM_GATEWAY__AUTHENTICATION:-none}"
    )
    # Nothing: taken from the shell or .env where it is set. Its file would be on a read-only root.
    assert environment["MODELIUM_GATEWAY__KEY_PEPPER"] is None
    others = [n for n, s in SERVICES.items() if n != "gateway" and "environment" in s]
    assert all("MODELIUM_GATEWAY__KEY_PEPPER" not in SERVICES[n]["environment"] for n in others)


def test_an_empty_pepper_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `MODELIUM_GATEWAY__KEY_PEPPER=` in .env comes to."""
    monkeypatch.setenv("MODELIUM_GATEWAY__KEY_PEPPER", "")
    assert load(ROOT / "deploy" / "compose" / "modelium.yaml").gateway.key_pepper is None
