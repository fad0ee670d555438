"""What README, docs and examples show is true: every command is checked, and run where it can be.

One whole Modelium with a stub engine has all of it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from modelium.cli.sample import write_sample_model
from modelium.common.settings import MIB
from tests.documented import URL, Block, blocks, problems, run
from tests.fake_grafana import grafana
from tests.house import ROOT
from tests.nginx import NGINX, binary
from tests.servers import Server
from tests.system import System, running, stub_python, wait_until

BLOCKS = list(blocks())
NOT_RUN = {
    r".*\bmake (up|down)\b.*": "installs, starts and stops everything: test_make_up.py",
    r"make test": "is what runs this",
    r"docker(-compose)? .*|scripts/(compose|stand-in-images).*": "Docker: test_compose.py",
    r"set -a; eval .*": "Docker's base images: scripts/test makes them so",
    r".*\bmy-model\b.*": "a model of the reader",
    r"nats (sub|stream) .*": "the real command only, and listens for ever",
    r"nats pub model.discovered .*": "a folder of the reader; test_spine.py says it of a real one",
    r"curl http://\S+/admin/keys/mk-172fd79eda17 .*|curl -X DELETE .*": "a key of the reader",
    r"\S*modelium (top|events -f .*|logs -f \w+)": "goes on for ever: below, test_logs.py",
    r"\S*modelium pull .*": "asks a hub: test_pull.py has one",
    r"redis-cli keys .*<files>.*": "has places to fill in",
    r"cp examples/nginx.conf /etc/.*|nginx -t": "below, with an nginx of the test",
    r"echo .*>> \.env": "changes the checkout",
    r"prometheus --config.file=.*": "runs until it is stopped: test_observability.py",
}
STATUSES_ARE_CHECKED = "docs/api.md"
"""By test_api_page.py, each with the status that the page says."""
MAY_FAIL = r".*modelium doctor\b.*"
"""Its exit code says what it has found on the machine of the test."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """With two models, of which people read."""
    folder = tmp_path_factory.mktemp("documented")
    memory = {"overhead_bytes": 100 * MIB, "kv_cache_bytes": 50 * MIB}
    settings = {"vllm": memory, "gateway": {"key_pepper": "a" * 64}}
    options = {"slot_bytes": 700 * MIB, "settings": settings}
    with running(folder / "system", engine_python=stub_python(folder), **options) as started:
        for name in ("sample", "qwen"):
            write_sample_model(started.models / name)
        for name in ("sample", "qwen"):
            wait_until(f"{name} is known", lambda name=name: started.model(name))
        yield started


@pytest.fixture(scope="module")
def checkout(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like one, and has the programs that pages name."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "models").symlink_to(system.models)
    (folder / ".modelium" / "data").mkdir(parents=True)
    (folder / ".modelium" / "data" / "redis").symlink_to(system.folder / "redis")
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    nats = ROOT / "tests" / "stubs" / "nats_cli.py"
    python, redis = f"#!{sys.executable}\n", shutil.which("redis-cli")
    for name, text in {
        "modelium": f"{python}from modelium.cli.main import main\nmain()\n",
        "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
        "nats": f'#!/bin/sh\nexec {sys.executable} {nats} "$@"\n',
        "redis-cli": f'#!/bin/sh\nexec {redis} -p {system.ports["redis"]} "$@"\n',
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (folder / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
    return folder


@pytest.fixture(scope="module")
def environment(system: System, checkout: Path) -> dict[str, str]:
    """Of a user whose programs are those, and whose settings lead to the system of the test."""
    path = f"{checkout / '.venv' / 'bin'}:{os.environ['PATH']}"
    return os.environ | {
        "PATH": path,
        "HOME": str(checkout),
        "MODELIUM_URL": system.url,
        "MODELIUM_CONFIG": str(system.config),
        "NATS_URL": f"nats://127.0.0.1:{system.ports['nats']}",
        "GRAFANA_TOKEN": "secret",
    }


def name_of(block: Block) -> str:
    return f"{block.page}:{block.line or block.commands[0].split()[-1]}"


def test_every_command_names_what_there_is() -> None:
    wrong = [(b.page, c, p) for b in BLOCKS for c in b.commands for p in problems(c)]
    assert not wrong


def test_the_list_of_what_is_not_run_has_no_old_entries() -> None:
    commands = [command for block in BLOCKS for command in map(bare, block.commands)]
    unused = [p for p in NOT_RUN if not any(re.fullmatch(p, c, re.DOTALL) for c in commands)]
    assert not unused


def bare(command: str) -> str:
    """Without what is said about it, and without variables that are set before it."""
    text = re.sub(r"\s+# .*$", "", command).strip()
    return re.sub(r"^(?:[A-Z_]+=\S+ )+(?=\w)", "", text)


def can_be_run(command: str) -> bool:
    return not any(re.fullmatch(each, bare(command), re.DOTALL) for each in NOT_RUN)


RUNNABLE = [
    b for b in BLOCKS if b.page != STATUSES_ARE_CHECKED and any(map(can_be_run, b.commands))
]


@pytest.mark.parametrize("block", RUNNABLE, ids=name_of)
def test_the_commands_of_a_page_do_what_they_say(
    block: Block, system: System, checkout: Path, environment: dict[str, str]
) -> None:
    lines = [
        f"{{ {bare(command) if re.match(MAY_FAIL, command) else command}\n}}"
        + (" || true" if re.match(MAY_FAIL, command) else "")
        for command in block.commands
        if can_be_run(command)
    ]
    script = "\n".join(["ADMIN=${ADMIN:-}", *lines]).replace(URL, system.url)
    script = script.replace("localhost:8000", system.url.removeprefix("http://"))
    script = script.replace("nats://127.0.0.1:4222", environment["NATS_URL"])
    ended = run(script, checkout, environment)
    assert ended.returncode == 0, f"{script}\n{ended.stdout}\n{ended.stderr}"
    assert "Traceback" not in ended.stderr
    assert ended.stdout.count("t0 t1 t2 ") >= script.count("_client.py"), "an example is silent"
    assert "nternal error" not in ended.stdout


def test_an_event_of_another_system_has_a_model_loaded(
    system: System, checkout: Path, environment: dict[str, str]
) -> None:
    asked = "modelium unload qwen --wait; python examples/publish_events.py qwen"
    ended = run(asked, checkout, environment)
    assert ended.stdout.splitlines()[-1] == "qwen is loaded", ended.stderr
    assert "qwen will load" in ended.stdout
    assert system.model("qwen")["state"] == "loaded"


def test_a_dashboard_is_imported_with_the_data_source_that_there_is(
    checkout: Path, environment: dict[str, str]
) -> None:
    needs = [{"name": "DS_PROMETHEUS", "type": "datasource"}, {"name": "x", "type": "constant"}]
    board = checkout / "board.json"
    board.write_text(json.dumps({"title": "Modelium", "id": 7, "__inputs": needs}))
    with grafana() as (url, imported):
        command = f"GRAFANA_URL={url} python examples/import_dashboards.py {board}"
        ended = run(command, checkout, environment)
    assert ended.stdout == f"Modelium: {url}/d/x\n", ended.stderr
    [body] = imported
    assert (body["overwrite"], body["dashboard"]["id"]) == (True, None)
    source = {"name": "DS_PROMETHEUS", "type": "datasource", "pluginId": "prometheus", "value": "p"}
    assert body["inputs"] == [source]


def test_a_stream_passes_through_the_nginx_of_the_examples(
    system: System, checkout: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    text = (ROOT / "examples" / "nginx.conf").read_text()

    def command(port: int, data: Path) -> list[str]:
        server = text.replace("listen 8080", f"listen 127.0.0.1:{port}")
        server = server.replace("127.0.0.1:8000", system.url.removeprefix("http://"))
        config = data / "nginx.conf"
        config.write_text(NGINX.format(folder=data, servers=server))
        return [binary(), "-p", str(data), "-c", str(config), "-e", str(data / "error.log")]

    nginx = Server(tmp_path / "nginx", "http", command)
    nginx.start()
    try:
        config = tmp_path / "nginx" / "data" / "nginx.conf"
        tested = run(f"{binary()} -t -c {config} -e /dev/stderr", tmp_path, environment)
        assert "syntax is ok" in tested.stderr
        with OpenAI(base_url=f"{nginx.url}/v1", api_key="none") as client:
            asked: Any = {"model": "sample", "messages": [{"role": "user", "content": "Hi"}]}
            chunks = list(client.chat.completions.create(stream=True, max_tokens=4, **asked))
        assert "".join(c.choices[0].delta.content or "" for c in chunks) == "t0 t1 t2 t3 "
    finally:
        nginx.stop()


def test_a_remote_system_is_seen_by_its_address_alone(system: System, tmp_path: Path) -> None:
    """In a folder with no settings, as on a laptop; what is piped has no colours."""
    system.chat("sample")
    far = {k: v for k, v in os.environ.items() if not k.startswith("MODELIUM_")}
    far |= {"MODELIUM_URL": system.url, "FORCE_COLOR": "1", "NO_COLOR": "1"}
    modelium = f"{sys.executable} -m modelium.cli.main"
    shown = {
        words: run(f"{modelium} {words}", tmp_path, far)
        for words in (
            "top --once",
            "top --once --json",
            "events -n 3 --json --model sample --subject 'runtime.*'",
            "bench sample -c 1,2 --requests 2 --max-tokens 3 --json",
            "bench nobody",
        )
    }
    *good, unknown = shown.values()
    assert [(e.returncode, "\x1b" in e.stdout) for e in good] == [(0, False)] * 4, good
    plain, picture, events, measured = (ended.stdout for ended in good)
    assert re.search(r"^sample +loaded ", plain, re.MULTILINE)
    assert {"sample", "qwen"} == {row["model"] for row in json.loads(picture)["models"]}
    happened = [json.loads(line)["subject"] for line in events.splitlines()]
    assert happened[-1] == "runtime.loaded"
    levels = json.loads(measured)["levels"]
    assert [(each["requests"], each["errors"]) for each in levels] == [(2, 0), (2, 0)]
    assert all(each["first_token_seconds"]["p99"] is not None for each in levels)
    assert all(1 <= each["tokens_per_read"] <= 3 for each in levels)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "There is no model nobody" in unknown.stderr


def test_a_load_test_that_is_interrupted_shows_what_there_is(
    system: System, tmp_path: Path
) -> None:
    words = ["bench", "sample", "-c", "4", "--seconds", "100", "--json"]
    far = os.environ | {"MODELIUM_URL": system.url}
    command = [sys.executable, "-m", "modelium.cli.main", *words]
    with subprocess.Popen(command, cwd=tmp_path, env=far, stdout=subprocess.PIPE) as testing:
        wait_until("it runs", lambda: system.get("/status")["gateway"]["active_requests"] > 1)
        testing.send_signal(signal.SIGINT)
        report, _ = testing.communicate(timeout=30)
    [level] = json.loads(report)["levels"]
    assert level["concurrency"] == 4
    assert level["seconds"] < 100


def until(events: Iterator[Any], wanted: Callable[[Any], bool]) -> Iterator[Any]:
    """The events up to the one that is wanted, with it."""
    for event in events:
        yield event
        if wanted(event):
            return


def test_who_follows_misses_nothing_while_the_gateway_is_away(
    system: System, checkout: Path, environment: dict[str, str]
) -> None:
    words = ["events", "-f", "-n", "1", "--json", "--subject", "model.*"]
    command = [sys.executable, "-m", "modelium.cli.main", *words]
    with subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE
    ) as following:
        assert following.stdout is not None
        events = map(json.loads, following.stdout)
        seen = [next(events)]
        system.post("/admin/models/qwen/unload", {})
        seen += until(events, lambda event: event["subject"] == "model.unload_requested")
        system.kill("gateway")
        said = """nats pub model.requested '{"model": "qwen", "requested_by": "meanwhile"}'"""
        assert run(said, checkout, environment).returncode == 0
        system.start("gateway")
        seen += until(events, lambda e: e["payload"].get("requested_by") == "meanwhile")
        numbers = [event["seq"] for event in seen]
        assert numbers == sorted(set(numbers))
        following.send_signal(signal.SIGINT)
        assert following.wait(30) == 0, "the first Ctrl-C is a way to end it"
