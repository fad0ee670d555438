"""`modelium up` and `down` as a user meets them: real servers and services, and the stub engine."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from modelium.cli import leftovers
from modelium.cli.layout import Layout
from modelium.cli.sample import write_sample_model
from modelium.common.errors import ExitCode
from tests.system import SERVICES, free_port, stub_python, wait_until

pytestmark = pytest.mark.timeout(300)

# Root may write everywhere, unless it gives that up; another user could not read the checkout.
BOUND_BY_PERMISSIONS = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()
)


class Checkout:
    """A folder in which a user runs `modelium`."""

    def __init__(self, folder: Path, *engine_options: str) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.ports = {name: free_port() for name in ("nats", "redis", *SERVICES)}
        self.url = f"http://127.0.0.1:{self.ports['gateway']}"
        self.layout = Layout(folder / ".modelium")
        self.configure(stub_python(folder, *engine_options))

    def configure(self, engine: Path) -> None:
        config = {
            "nats": {"url": f"nats://127.0.0.1:{self.ports['nats']}"},
            "redis": {"url": f"redis://127.0.0.1:{self.ports['redis']}/0"},
            "gateway": {"port": self.ports["gateway"]},
            "health": {f"{n}_port": self.ports[n] for n in SERVICES if n != "gateway"},
            "gpu": {"enabled": False},
            "vllm": {"python": str(engine)},
        }
        (self.folder / "modelium.yaml").write_text(yaml.safe_dump(config))

    def modelium(
        self, *words: str, prefix: tuple[str, ...] = (), timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, *self._command(*words)],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def up_in_foreground(self) -> subprocess.Popen[str]:
        """Like a terminal's: in a session of its own, so that a test can press Ctrl-C."""
        return subprocess.Popen(
            self._command("up"),
            cwd=self.folder,
            env=self._environment(),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @staticmethod
    def _command(*words: str) -> list[str]:
        return [sys.executable, "-m", "modelium.cli.main", *words]

    @staticmethod
    def _environment() -> dict[str, str]:
        ours = {n: v for n, v in os.environ.items() if not n.startswith("MODELIUM_")}
        return {**ours, "NO_COLOR": "1"}

    def tree(self) -> list[psutil.Process]:
        """supervisord and all below it; unlike `processes`, without a look at any mark."""
        pid = int((self.layout.run / "supervisord.pid").read_text())
        supervisord = psutil.Process(pid)
        return [supervisord, *supervisord.children(recursive=True)]

    def processes(self) -> list[psutil.Process]:
        return leftovers.marked(self.layout.run)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    yield made
    leftovers.sweep(made.layout.run)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What the process writes, up to a line that contains `text`."""
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"it ended without {text!r}:\n{seen}")


def test_up_drops_a_sample_chats_with_it_and_down_leaves_nothing(checkout: Checkout) -> None:
    first = checkout.modelium("up", "--detach")
    assert first.returncode == 0, first.stderr
    assert "sample: t0 t1" in first.stderr
    assert checkout.url in first.stderr
    assert (checkout.models / "sample" / "model.safetensors").is_file()

    again = checkout.modelium("up")
    assert again.returncode == 0
    assert "already running" in again.stderr

    models = json.loads(checkout.modelium("models", "--json").stdout)
    assert [(page["model"], page["state"]) for page in models] == [("sample", "loaded")]
    assert "runtime_agent" in checkout.modelium("status").stdout
    assert "t0 t1" in checkout.modelium("run", "sample", "Hi").stdout
    assert checkout.modelium("health", "registry").returncode == 0
    assert checkout.modelium("unload", "sample", "--wait").returncode == 0
    assert checkout.modelium("load", "sample", "--wait").returncode == 0

    stopped = checkout.modelium("down")
    assert stopped.returncode == 0, stopped.stderr
    assert checkout.processes() == []
    assert checkout.modelium("down").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_foreground_system_with_exit_code_0(
    checkout: Checkout, number: signal.Signals
) -> None:
    process = checkout.up_in_foreground()
    read_until(process, "Ctrl-C")
    assert len(checkout.processes()) >= len(checkout.ports)
    os.killpg(process.pid, number)
    assert process.wait(60) == 0
    assert checkout.processes() == []


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, "--ignore-sigterm")
    process = checkout.up_in_foreground()
    read_until(process, "Ctrl-C")
    process.send_signal(signal.SIGTERM)
    read_until(process, "stopping")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM
    assert checkout.processes() == []


def test_a_signal_while_it_starts_leaves_nothing(checkout: Checkout) -> None:
    process = checkout.up_in_foreground()
    wait_until("something runs", checkout.processes)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert checkout.processes() == []


def test_down_ends_an_up_that_starts_with_exit_code_0_and_the_reason(checkout: Checkout) -> None:
    process = checkout.up_in_foreground()
    wait_until("something runs", checkout.processes)
    assert checkout.modelium("down").returncode == 0
    seen = read_until(process, "stopped from elsewhere")
    assert "did not start" not in seen
    assert process.wait(60) == 0
    assert checkout.processes() == []


@pytest.mark.parametrize("text", ["nats", "Ctrl-C"])
def test_down_ends_an_up_that_runs(checkout: Checkout, text: str) -> None:
    process = checkout.up_in_foreground()
    read_until(process, text)
    assert checkout.modelium("down").returncode == 0
    read_until(process, "stopped from elsewhere")
    assert process.wait(60) == 0
    assert checkout.processes() == []


def test_down_finds_everything_when_supervisord_and_the_agent_were_killed(
    checkout: Checkout,
) -> None:
    assert checkout.modelium("up", "--detach").returncode == 0
    everything = checkout.tree()
    assert any("--served-model-name" in process.cmdline() for process in everything)
    for process in everything:
        words = " ".join(process.cmdline())
        if "supervisord" in words or "runtime_agent" in words:
            process.kill()
    assert checkout.modelium("down").returncode == 0
    assert [process for process in everything if process.is_running()] == []


def test_up_cleans_up_after_a_killed_supervisord(checkout: Checkout) -> None:
    assert checkout.modelium("up", "--detach", "--no-sample").returncode == 0
    for process in checkout.processes():
        if "supervisord" in " ".join(process.cmdline()):
            process.kill()
    again = checkout.modelium("up", "--detach", "--no-sample")
    assert again.returncode == 0, again.stderr
    assert len(checkout.processes()) == len(checkout.tree())
    assert "of an earlier run" in again.stderr
    checkout.modelium("down")


@pytest.mark.parametrize(
    ("name", "setting"),
    [("gateway", "gateway.port"), ("nats", "nats.url"), ("watcher", "health.watcher_port")],
)
def test_a_taken_port_is_named_with_its_holder_and_nothing_starts(
    checkout: Checkout, name: str, setting: str
) -> None:
    with socket.create_server(("127.0.0.1", checkout.ports[name])):
        refused = checkout.modelium("up")
    assert refused.returncode == ExitCode.UNAVAILABLE
    assert f"Port {checkout.ports[name]} for {name} is taken by" in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert setting in refused.stderr
    assert checkout.processes() == []


def test_an_engine_that_cannot_start_is_told_with_its_reason_and_everything_stops(
    checkout: Checkout,
) -> None:
    engine = checkout.folder / "broken"
    engine.write_text("#!/bin/sh\necho 'RuntimeError: no such luck'\nexit 1\n")
    engine.chmod(0o755)
    checkout.configure(engine)
    refused = checkout.modelium("up")
    assert refused.returncode == ExitCode.UNAVAILABLE
    assert "no such luck" in refused.stderr
    assert "logs sample" in refused.stderr
    assert checkout.processes() == []


def test_a_missing_engine_is_told_before_anything_starts(checkout: Checkout) -> None:
    checkout.configure(checkout.folder / "nowhere" / "python")
    refused = checkout.modelium("up")
    assert refused.returncode == ExitCode.UNAVAILABLE
    assert "nowhere/python" in refused.stderr
    assert checkout.processes() == []


def test_a_service_that_cannot_start_is_told_with_its_last_lines(checkout: Checkout) -> None:
    (checkout.layout.data / "nats").mkdir(parents=True)
    (checkout.layout.data / "nats" / "jetstream").write_text("a file where a folder has to be")
    refused = checkout.modelium("up")
    assert refused.returncode == ExitCode.UNAVAILABLE
    assert "nats did not start" in refused.stderr
    assert "nats.log" in refused.stderr
    assert checkout.processes() == []


def test_wrong_settings_end_with_their_exit_code(checkout: Checkout) -> None:
    (checkout.folder / "modelium.yaml").write_text("gateway: {prt: 1}\n")
    refused = checkout.modelium("up")
    assert refused.returncode == ExitCode.CONFIG
    assert "did you mean gateway.port?" in refused.stderr


def test_a_folder_without_permission_is_told(checkout: Checkout) -> None:
    checkout.folder.chmod(0o500)
    refused = checkout.modelium("up", prefix=BOUND_BY_PERMISSIONS)
    assert refused.returncode == ExitCode.PERMISSION
    assert f"{checkout.layout.folder} cannot be made" in refused.stderr


def test_models_that_are_there_are_kept_and_no_sample_is_added(checkout: Checkout) -> None:
    made = write_sample_model(checkout.folder / "made")
    shutil.copytree(made, checkout.models / "mine")
    started = checkout.modelium("up", "--detach")
    assert started.returncode == 0, started.stderr
    assert [folder.name for folder in checkout.models.iterdir()] == ["mine"]
    checkout.modelium("down")
