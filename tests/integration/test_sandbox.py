"""The process that analyses models: what code in it could do, and what becomes of its answers."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelium.common import signatures
from modelium.common.clock import SystemClock
from modelium.common.descriptor import Descriptor, Task
from modelium.common.errors import DependencyUnavailable, InvalidModel, SettingsError
from modelium.common.settings import SandboxPolicy, Security
from modelium.watcher.filesystem import Analyst, ModelFolders
from modelium.watcher.listing import Candidate
from modelium.watcher.safety import bubblewrap
from modelium.watcher.safety.sandbox import Level, Sandbox
from tests.stubs import intruder
from tests.unit.watcher import models
from tests.unit.watcher.analysts import InThisProcess

ENDINGS = (".safetensors",)
SOURCE = Path(intruder.__file__).read_text()
HANG = "import time; time.sleep(100)"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A watch directory with two models, and a secret beside it."""
    models.write_model(tmp_path / "models" / "qwen")
    models.write_model(tmp_path / "models" / "other")
    (tmp_path / "secret").write_text("key")
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    """Somebody who would take what is sent."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(tcp.getsockname())
        yield tcp.getsockname()[1]


def sandbox(level: Level, *program: str, **settings: object) -> Sandbox:
    made = Sandbox(
        Security.model_validate(settings),
        clock=SystemClock(),
        bwrap=bubblewrap.find() if level is Level.BUBBLEWRAP else None,
        **({"program": program} if program else {}),
    )
    made.level = level
    return made


def folders(place: Path, analyst: Analyst) -> ModelFolders:
    return ModelFolders(
        [place / "models"], supported=ENDINGS, read_by_others=False, analyst=analyst
    )


async def fingerprint(box: Sandbox, place: Path, name: str) -> str:
    return (await folders(place, box).look(str(place / "models" / name))).fingerprint


async def candidate(place: Path, name: str = "qwen") -> Candidate:
    found = await folders(place, InThisProcess()).look(str(place / "models" / name))
    return found.candidate


async def analysed(box: Sandbox, place: Path, name: str = "qwen") -> Descriptor:
    return await box.analyse(await candidate(place, name), ENDINGS)


def files(place: Path) -> list[Path]:
    return sorted(place.rglob("*"))


async def reason(box: Sandbox, place: Path, name: str = "qwen") -> str:
    with pytest.raises(InvalidModel) as rejection:
        await analysed(box, place, name)
    return rejection.value.reason


BOTH = pytest.mark.parametrize("level", [Level.BUBBLEWRAP, Level.LANDLOCK])


@BOTH
async def test_this_machine_can_shut_the_analysis_in(level: Level) -> None:
    assert await sandbox(level).prepare() is level


@BOTH
async def test_a_model_is_analysed_as_without_it(level: Level, place: Path) -> None:
    found = await analysed(sandbox(level), place)
    assert found == await InThisProcess().analyse(await candidate(place), ENDINGS)
    assert found.task is Task.CHAT


def test_all_that_an_intruder_tries_works_where_nothing_shuts_it_in(place: Path, port: int) -> None:
    argv = [sys.executable, "-c", SOURCE, str(place), str(os.getpid()), str(port), "alone"]
    answer = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    tried = set(intruder.attempts(place, os.getpid(), port))
    # Whether limits can be raised depends on who runs the tests.
    assert tried - set(json.loads(answer["invalid"])["achieved"]) <= {"raise its limits"}


@BOTH
async def test_an_intruder_achieves_nothing(
    level: Level, place: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELIUM_GATEWAY__KEY_PEPPER", "secret")
    before = files(place)
    box = sandbox(level, "-c", SOURCE, str(place), str(os.getpid()), str(port))
    said = json.loads(await reason(box, place))
    assert said["reads"] == ["Qwen2ForCausalLM"], "the model itself can be read"
    assert said["achieved"] == []
    assert not [name for name in said["environment"] if name.startswith("MODELIUM")]
    assert files(place) == before


SHUT_IN = f"{SOURCE.partition('if __name__')[0]}\nshut_in()\n"


@BOTH
@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("bytearray(3 << 30)", "its analysis failed (MemoryError)"),
        ("import ctypes; ctypes.string_at(1)", "its analysis crashed (SIGSEGV)"),
    ],
)
async def test_one_that_takes_too_much_or_crashes_is_wrong_with_the_model(
    level: Level, program: str, expected: str, place: Path
) -> None:
    assert expected in await reason(sandbox(level, "-c", SHUT_IN + program), place)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "said more than 1048576 bytes"),
        ("print('{}')", "answered nonsense"),
        ("print('[' * 100000)", "answered nonsense"),
        ('print(\'{"invalid": "a", "more": 1}\')', "answered nonsense"),
        ('print(\'{"descriptor": {"format": "x"}}\')', "answered nonsense"),
        ("raise SystemExit(3)", "its analysis failed (exit code 3)"),
        (r"""print('{"invalid": "red \\u001b[31m\\nline"}')""", "red [31m line"),
    ],
)
async def test_an_answer_is_a_strangers_word(program: str, expected: str, place: Path) -> None:
    assert expected in await reason(sandbox(Level.LANDLOCK, "-c", program), place)


@pytest.mark.parametrize("program", ["while True: pass", HANG])
async def test_one_that_does_not_end_is_ended(program: str, place: Path) -> None:
    box = sandbox(Level.LANDLOCK, "-c", SHUT_IN + program, analysis_seconds=1)
    ended = ("its analysis was stopped after 1 s", "its analysis took too much time to compute")
    assert await reason(box, place) in ended


async def test_one_that_hangs_keeps_nobody_waiting(place: Path) -> None:
    hanging = asyncio.create_task(analysed(sandbox(Level.LANDLOCK, "-c", HANG), place))
    await analysed(sandbox(Level.LANDLOCK), place)
    assert not hanging.done()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging


@BOTH
async def test_what_a_link_within_the_watch_directory_leads_to_can_be_read(
    level: Level, place: Path
) -> None:
    linked = place / "models" / "qwen" / "model.safetensors"
    linked.rename(place / "models" / "blob")
    linked.symlink_to(place / "models" / "blob")
    assert (await analysed(sandbox(level), place)).parameters == 704


async def test_a_link_out_of_it_is_refused(place: Path) -> None:
    (place / "models" / "qwen" / "notes.txt").symlink_to(place / "secret")
    assert "leads out" in await reason(sandbox(Level.LANDLOCK), place)


@pytest.mark.parametrize("single", [False, True])
async def test_a_signature_is_news_only_where_one_is_asked_for(place: Path, single: bool) -> None:
    public = signatures.new_key(place / "k.pem")
    name = "one.safetensors" if single else "qwen"
    path = place / "models" / name
    if single:
        (path.parent / "qwen" / "model.safetensors").rename(path)
    nobody, somebody = sandbox(Level.LANDLOCK), sandbox(Level.LANDLOCK, require_signature=[public])
    before = [await fingerprint(box, place, name) for box in (nobody, somebody)]
    signatures.sign(path, key=place / "k.pem")
    after = [await fingerprint(box, place, name) for box in (nobody, somebody)]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False]


async def test_only_signed_models_pass_where_signatures_are_required(place: Path) -> None:
    public = signatures.new_key(place / "k.pem")
    box = sandbox(Level.LANDLOCK, require_signature=[public])
    assert await reason(box, place) == "it is not signed (model.sig is missing)"
    signatures.sign(place / "models" / "qwen", key=place / "k.pem")
    assert (await analysed(box, place)).task is Task.CHAT
    (place / "models" / "qwen" / "tokenizer_config.json").write_text("{}")
    assert "changed: tokenizer_config.json" in await reason(box, place)


async def test_a_key_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    box = sandbox(Level.LANDLOCK, require_signature=[tmp_path / "k.pub"])
    with pytest.raises(SettingsError, match=r"security.require_signature: .*k.pub cannot be read"):
        await box.prepare()


async def test_with_other_trust_a_model_is_looked_at_again(place: Path) -> None:
    public = signatures.new_key(place / "k.pem")
    boxes = [
        sandbox(Level.LANDLOCK),
        sandbox(Level.LANDLOCK, require_signature=[public]),
        sandbox(Level.LANDLOCK, require_signature=[public], trust_remote_code=["qwen"]),
    ]
    for box in boxes:
        await box.prepare()
    assert len({await fingerprint(box, place, "qwen") for box in boxes}) == 3
    assert len({await fingerprint(box, place, "other") for box in boxes}) == 2


async def test_a_trusted_model_may_have_code_of_its_own(place: Path) -> None:
    models.write_model(place / "models" / "qwen", config={"auto_map": {"AutoModel": "m.M"}})
    trusting = sandbox(Level.LANDLOCK, trust_remote_code=["qwen"])
    assert (await analysed(trusting, place)).architecture == "Qwen2ForCausalLM"


async def test_where_nothing_shuts_in_the_settings_decide() -> None:
    open_program = ("-c", 'print(\'{"confined": {"files": false, "calls": true}}\')')
    with pytest.raises(DependencyUnavailable, match="only: seccomp"):
        await sandbox(Level.LANDLOCK, *open_program).prepare()
    lenient = sandbox(Level.LANDLOCK, *open_program, sandbox=SandboxPolicy.BEST_EFFORT)
    assert await lenient.prepare() is Level.SECCOMP


def test_the_program_that_doctor_asks_says_how_well_files_are_shut_in() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "modelium.watcher.safety"], capture_output=True, text=True
    )
    assert asked.returncode == 0
    assert asked.stdout.strip().rpartition("\n")[2] in (Level.BUBBLEWRAP, Level.LANDLOCK)
