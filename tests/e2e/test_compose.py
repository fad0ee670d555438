"""The main job in containers: compose brings the system up, the agent starts vLLM in a container.

Images are taken from the environment (BASE_IMAGE, NATS_IMAGE …; `scripts/test` sets stand-ins where
no registry is reached), and built when they are missing.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from modelium.cli.sample import write_sample_model
from tests.onnx_models import WEIGHTS, write_linear
from tests.system import ROOT, free_port, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

MODEL = "tiny"
ENGINE_BYTES = 4 << 30
LOG = ROOT / ".modelium" / "test" / "compose.log"
SERVICES = ("registry", "watcher", "brain", "orchestrator", "gateway", "agent-cpu")


class Compose:
    """One compose project with names, ports and folders of its own."""

    def __init__(self, models: Path) -> None:
        run = uuid4().hex[:8]
        self.models = models
        self.agent = f"test-{run}"
        self.network = f"modelium-test-{run}-engines"
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": f"modelium-test-{run}",
            "COMPOSE_PROFILES": "cpu",
            "ENGINE_NETWORK": self.network,
            "MODELS_FOLDER": str(models),
            "MODELIUM_GATEWAY__PORT": str(port),
            "MODELIUM_RUNTIME_AGENT__ID": self.agent,
            "MODELIUM_RUNTIME_AGENT__CPU_SLOT_MEMORY_BYTES": str(ENGINE_BYTES),
        }

    def __call__(self, *arguments: str, timeout_s: float = 120) -> str:
        return self._run(str(ROOT / "scripts" / "compose"), *arguments, timeout_s=timeout_s)

    def docker(self, *arguments: str) -> str:
        return self._run("docker", *arguments, timeout_s=60)

    def _run(self, *command: str, timeout_s: float) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            timeout=timeout_s,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def keep_logs(self) -> None:
        """Append what the containers have written until now; `down` takes it away."""
        LOG.parent.mkdir(parents=True, exist_ok=True)
        with LOG.open("a") as log:
            log.write(self("logs", "--no-color"))

    def down(self) -> None:
        self("down", "--volumes", "--timeout", "60", timeout_s=180)

    def end(self) -> None:
        """Whatever fails in it, the next step is taken too."""
        with ExitStack() as steps:
            steps.callback(self._remove_engines)
            steps.callback(self.down)
            steps.callback(self.keep_logs)

    def _remove_engines(self) -> None:
        for left in self.engines():
            self.docker("rm", "--force", left)

    def engines(self) -> list[str]:
        """Containers that this system's agent has started, running or not."""
        label = f"label=io.modelium.agent={self.agent}"
        return self.docker("ps", "--all", "--quiet", "--filter", label).split()

    def inspect(self, container: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", container))
        return found[0]

    def container_of(self, service: str) -> dict[str, Any]:
        return self.inspect(self("ps", "--quiet", service).strip())

    def is_ready(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/readyz", timeout=2).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def is_healthy(self, service: str) -> bool:
        return bool(self.container_of(service)["State"]["Health"]["Status"] == "healthy")

    def chat(self) -> Any:
        """One completion; the gateway holds it while the engine starts."""
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": MODEL, "messages": messages, "max_tokens": 4}
        return self.post("/v1/chat/completions", body)

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def known(self, stem: str) -> str | None:
        """The name of the model with this file or folder, once it is analysed."""
        with urllib.request.urlopen(f"{self.url}/v1/models", timeout=10) as answer:
            listed = json.load(answer)["data"]
        analysed = [entry["id"] for entry in listed if entry["modelium"]["task"]]
        return next((name for name in analysed if name.startswith(stem)), None)


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """Everything is up and one model lies in the folder."""
    models = tmp_path_factory.mktemp("models")
    # The containers' users are others than the one who makes the folder.
    models.chmod(0o755)
    system = Compose(models)
    LOG.unlink(missing_ok=True)
    try:
        system("up", "-d", timeout_s=600)
        wait_until("the agent is healthy", lambda: system.is_healthy("agent-cpu"), 90)
        wait_until("the gateway is ready", system.is_ready, 60)
        write_sample_model(models / MODEL)
        wait_until("the model is known", lambda: system.known(MODEL), 60)
        yield system
    finally:
        system.end()


@pytest.fixture(scope="module")
def engine(compose: Compose) -> dict[str, Any]:
    """The container that answers, as Docker describes it."""
    answer = compose.chat()
    assert answer["model"] == MODEL
    assert answer["usage"]["completion_tokens"] > 0
    (container,) = compose.engines()
    return compose.inspect(container)


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_compose_accepts_the_file(compose: Compose, profile: str) -> None:
    compose("--profile", profile, "config", "--quiet")


def test_a_container_of_the_models_own_answers(engine: dict[str, Any]) -> None:
    assert engine["State"]["Running"]
    assert engine["Config"]["Labels"]["io.modelium.model"] == MODEL
    assert "vllm.entrypoints.openai.api_server" in engine["Config"]["Cmd"]


def test_the_engine_can_write_nothing_and_is_nobody(engine: dict[str, Any]) -> None:
    host = engine["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert not host["Privileged"]
    assert engine["Config"]["User"] == "2000:0"
    assert [(m["Destination"], m["RW"]) for m in engine["Mounts"]] == [(f"/models/{MODEL}", False)]


def test_the_engine_has_limits(engine: dict[str, Any]) -> None:
    host = engine["HostConfig"]
    assert 0 < host["Memory"] <= ENGINE_BYTES
    assert host["MemorySwap"] == host["Memory"]
    assert host["PidsLimit"] > 0
    assert host["NanoCpus"] > 0 or host["CpusetCpus"]
    assert host["ShmSize"] >= 512 << 20


def test_the_engine_is_on_the_internal_network_alone(
    compose: Compose, engine: dict[str, Any]
) -> None:
    assert list(engine["NetworkSettings"]["Networks"]) == [compose.network]
    assert not engine["HostConfig"]["PortBindings"]
    (network,) = json.loads(compose.docker("network", "inspect", compose.network))
    assert network["Internal"]


def test_redis_shows_the_model_to_a_person(compose: Compose, engine: dict[str, Any]) -> None:
    lines = compose("exec", "-T", "redis", "redis-cli", "hgetall", f"modelium:model:{MODEL}")
    fields = lines.split("\n")
    assert fields[fields.index("state") + 1].strip() == "loaded"


def test_services_are_hardened_and_healthy(compose: Compose) -> None:
    for service in ("nats", "redis", *SERVICES):
        host = compose.container_of(service)["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        wait_until(f"{service} is healthy", lambda s=service: compose.is_healthy(s), 60)


def test_only_the_agent_reaches_docker_and_only_it_is_root(compose: Compose) -> None:
    for service in ("nats", "redis", *SERVICES):
        container = compose.container_of(service)
        mounted = {mount["Destination"] for mount in container["Mounts"]}
        is_agent = service == "agent-cpu"
        assert ("/var/run/docker.sock" in mounted) == is_agent, service
        assert (container["Config"]["User"] in ("", "root", "0", "0:0")) == is_agent, service


def test_the_bus_has_no_way_out_and_no_engine_on_it(
    compose: Compose, engine: dict[str, Any]
) -> None:
    name = f"{compose.environment['COMPOSE_PROJECT_NAME']}_bus"
    (network,) = json.loads(compose.docker("network", "inspect", name))
    assert network["Internal"]
    assert engine["Id"] not in network["Containers"]


def test_a_model_that_vllm_does_not_serve_answers_from_a_container_too(compose: Compose) -> None:
    file = compose.models / "linear.onnx"
    write_linear(file)
    file.chmod(0o644)
    name = wait_until("the model is known", lambda: compose.known("linear"), 60)
    rows = [[0.5, -1.0, 2.0, 0.25]]
    [output] = compose.post(f"/predict/{name}", {"inputs": {"x": rows}})["outputs"]
    np.testing.assert_allclose(output["data"], np.tanh(rows @ WEIGHTS)[0], rtol=1e-5)
    found = [compose.inspect(container) for container in compose.engines()]
    [host] = [c for c in found if c["Config"]["Labels"]["io.modelium.model"] == name]
    assert "modelium.model_host" in host["Config"]["Cmd"]
    assert host["HostConfig"]["ReadonlyRootfs"]
    assert [(m["Destination"], m["RW"]) for m in host["Mounts"]] == [(f"/models/{name}", False)]


def test_stopping_the_agent_removes_its_engines(compose: Compose, engine: dict[str, Any]) -> None:
    compose("stop", "agent-cpu")
    assert compose.engines() == []


def test_down_leaves_nothing(compose: Compose) -> None:
    """After the agent has started an engine anew, so that down has one to take along."""
    compose("start", "agent-cpu")
    assert compose.chat()["model"] == MODEL
    assert len(compose.engines()) == 1
    compose.keep_logs()
    compose.down()
    assert compose.engines() == []
    assert compose.docker("network", "ls", "--quiet", "--filter", f"name={compose.network}") == ""
