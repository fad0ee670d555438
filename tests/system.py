"""A whole Modelium of child processes, for tests, faults and benchmarks.

Real NATS, Redis and services, each of which can be killed and started again. The engine is real
vLLM when `engine_python` is its interpreter, and the stub of `tests/stubs/engine.py` otherwise.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import stamina
import yaml

from modelium.common.settings import MIB

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("registry", "watcher", "brain", "orchestrator", "runtime_agent", "gateway")
SERVERS = ("nats", "redis")


# A poll is no news.
stamina.instrumentation.set_on_retry_hooks([])


def _candidates() -> Iterator[int]:
    """Ports in an order of chance, none twice; another worker of the same test run has others.

    From below the range that the kernel gives to outgoing connections: one of those would take a
    port before the server that it is for.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = list(range(15_000 + worker, 32_000, workers))
    random.shuffle(ports)
    return iter(ports)


_PORTS = _candidates()


def free_port() -> int:
    """A port of loopback that nobody listens on now and that was not given out before."""
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port was found")


def server_binary(name: str) -> str:
    """The server beside this interpreter, else on PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed; `make test` installs it")
    return found


def wait_until(what: str, probe: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Ask `probe` until it answers something true; AssertionError naming `what` after the time."""
    attempts = stamina.retry_context(
        on=AssertionError, attempts=None, timeout=timeout_s, wait_initial=0.05, wait_max=0.2
    )
    for attempt in attempts:
        with attempt:
            value = probe()
            assert value, f"not within {timeout_s:.0f} s: {what}"
    return value


def stub_python(folder: Path, *options: str) -> Path:
    """An interpreter that ignores what it is told to run and is the stub engine instead."""
    path = folder / "stub-python"
    stub = ROOT / "tests" / "stubs" / "engine.py"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {stub} {" ".join(options)} "$@"\n')
    path.chmod(0o755)
    return path


class System:
    """All processes of one Modelium below one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        engine_python: Path,
        slot_bytes: int = 400 * MIB,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.models.mkdir(parents=True)
        self.ports = {name: free_port() for name in (*SERVERS, *SERVICES)}
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.config = folder / "modelium.yaml"
        self._write_config(engine_python, slot_bytes, settings or {})

    def _write_config(self, engine: Path, slot_bytes: int, more: Mapping[str, Any]) -> None:
        config: dict[str, Any] = {
            "nats": {"url": f"nats://127.0.0.1:{self.ports['nats']}"},
            "redis": {"url": f"redis://127.0.0.1:{self.ports['redis']}/0"},
            "gateway": {"port": self.ports["gateway"]},
            "health": {f"{name}_port": self.ports[name] for name in SERVICES if name != "gateway"},
            "orchestration": {
                "decision_interval_seconds": 1.0,
                "model_discovery": {
                    "watch_directories": [str(self.models)],
                    "scan_interval_seconds": 2.0,
                },
                "policies": {"min_residency_seconds": 0.5},
            },
            "modelium_brain": {"endpoint": f"{self.url}/v1"},
            "gpu": {"enabled": False},
            "runtime_agent": {
                "cpu_slot_memory_bytes": slot_bytes,
                "state_directory": str(self.folder / "agent"),
            },
            "vllm": {"python": str(engine)},
        }
        _merge(config, more)
        self.config.write_text(yaml.safe_dump(config))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}"

    def start(self, *names: str) -> None:
        """Start these processes (none: all) and wait until each is ready."""
        for name in names or (*SERVERS, *SERVICES):
            self.spawn(name, self.command(name))
        for name in names or SERVICES:
            if name in SERVICES:
                wait_until(f"{name} is ready", lambda name=name: self.is_ready(name))

    def spawn(self, name: str, command: list[str], **environment: str) -> None:
        """Start a child of this system; what it says goes to a log of its name."""
        log = (self.folder / f"{name}.log").open("ab")
        self.children[name] = subprocess.Popen(  # the whole point: a child we can kill
            command,
            stdout=log,
            stderr=log,
            cwd=self.folder,
            env={**os.environ, "MODELIUM_RUN": str(self.folder), **environment},
        )

    def command(self, name: str) -> list[str]:
        """What a process is started with."""
        port = str(self.ports[name])
        if name == "nats":
            return [
                server_binary("nats-server"),
                "-a",
                "127.0.0.1",
                "-p",
                port,
                "-js",
                "-sd",
                str(self.folder / "nats"),
            ]
        if name == "redis":
            data = self.folder / "redis"
            data.mkdir(exist_ok=True)
            return [
                server_binary("redis-server"),
                "--bind",
                "127.0.0.1",
                "--port",
                port,
                "--dir",
                str(data),
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ]
        return [sys.executable, "-m", f"modelium.{name}", "--config", str(self.config)]

    def is_ready(self, name: str) -> bool:
        """Whether the service says so itself."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/readyz", timeout=2).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def kill(self, name: str) -> None:
        """kill -9, and see it gone."""
        self.children[name].kill()
        self.children[name].wait(10)

    def stop(self) -> list[psutil.Process]:
        """SIGTERM everything, services first; returns what is left of it (nothing, one hopes)."""
        services = [name for name in self.children if name not in SERVERS]
        for group in (services[::-1], SERVERS):
            alive = [self.children[n] for n in group if n in self.children]
            for child in alive:
                child.send_signal(signal.SIGTERM)
            for child in alive:
                child.wait(60)
        left = self.processes()
        for process in left:
            process.kill()
        return left

    def processes(self) -> list[psutil.Process]:
        """Every process of this system, engines and orphans included, by the mark they inherit."""
        return [p for p in psutil.process_iter() if _mark_of(p) == str(self.folder)]

    def engines(self) -> list[psutil.Process]:
        """The processes that listen for an engine."""
        return [p for p in self.processes() if "--served-model-name" in _command_of(p)]

    def get(self, path: str) -> Any:
        """A GET on the gateway, decoded."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any, timeout_s: float = 120.0) -> Any:
        """A POST on the gateway, decoded; urllib.error.HTTPError for an error status.

        A model that is not loaded is waited for as long as `timeout_s`.
        """
        headers = {"content-type": "application/json", "prefer": f"wait={timeout_s:.0f}"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=timeout_s + 10) as answer:
            return json.load(answer)

    def chat(self, model: str, text: str = "hello", timeout_s: float = 120.0, **more: Any) -> Any:
        """One chat completion of four tokens."""
        messages = [{"role": "user", "content": text}]
        body = {"model": model, "messages": messages, "max_tokens": 4, **more}
        return self.post("/v1/chat/completions", body, timeout_s)

    def model(self, name: str) -> dict[str, Any] | None:
        """What /v1/models says of it in its `modelium` member; None when it is not there."""
        entries = {entry["id"]: entry["modelium"] for entry in self.get("/v1/models")["data"]}
        return entries.get(name)

    def wait_for_state(self, name: str, state: str, timeout_s: float = 60.0) -> None:
        """Until the gateway shows the model in this state."""

        def there() -> bool:
            seen = self.model(name)
            return seen is not None and seen["state"] == state

        wait_until(f"{name} is {state}", there, timeout_s)


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("MODELIUM_RUN")
    except psutil.Error:
        return None


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[System]:
    """A started system that is stopped at the end, whatever happens."""
    system = System(folder, **options)
    try:
        system.start()
        yield system
    finally:
        left = system.stop()
    assert not left, f"left behind: {[p.cmdline() for p in left]}"
