"""The shell of a service as its user and its supervisor see it: a child process with signals."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from modelium.common.errors import ExitCode
from modelium.common.events import ModelRequested
from modelium.common.nats_bus import NatsBus
from tests.servers import Server
from tests.system import free_port, wait_until

STUB = Path(__file__).parents[1] / "stubs" / "small_service.py"


class Child:
    """One run of the stub service."""

    def __init__(self, ending: str, *arguments: str, environment: Mapping[str, str]) -> None:
        self.port = int(environment["MODELIUM_HEALTH__WATCHER_PORT"])
        self.process = subprocess.Popen(
            [sys.executable, str(STUB), ending, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
        )

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def until_ready(self) -> None:
        wait_until("the service is ready", lambda: self.get("/readyz")[0] == 200)

    def end(self, signum: int | None = None) -> tuple[int, list[dict[str, Any]], str]:
        """Exit code, log lines and stderr."""
        if signum is not None:
            self.process.send_signal(signum)
        out, err = self.process.communicate(timeout=15)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], err


Start = Callable[..., Child]


@pytest.fixture
def environment(nats: Server, redis: Server) -> dict[str, str]:
    return {
        "MODELIUM_NATS__URL": nats.url,
        "MODELIUM_REDIS__URL": f"{redis.url}/0",
        "MODELIUM_HEALTH__WATCHER_PORT": str(free_port()),
    }


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    children: list[Child] = []

    def start(ending: str = "serve", *arguments: str, **changes: str) -> Child:
        children.append(Child(ending, *arguments, environment=environment | changes))
        return children[-1]

    yield start
    for child in children:
        child.process.kill()
        child.process.communicate()


def names(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_success_and_closes_what_it_opened(
    start: Start, signum: int
) -> None:
    child = start()
    child.until_ready()
    code, lines, err = child.end(signum)
    assert code == ExitCode.OK, lines
    assert names(lines)[-2:] == ["service.stopping", "service.stopped"]
    assert err.endswith("resource closed\n")  # before it: what other tests left on the bus


def test_every_log_line_is_json_and_says_who_speaks(start: Start) -> None:
    child = start()
    child.until_ready()
    _, lines, _ = child.end(signal.SIGTERM)
    assert {line["service"] for line in lines} == {"watcher"}
    assert len({line["instance"] for line in lines}) == 1
    assert all(line["ts"].endswith("Z") and line["level"] for line in lines)


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    child = start("stubborn")
    child.until_ready()
    child.process.send_signal(signal.SIGTERM)
    assert child.process.stderr is not None
    assert child.process.stderr.readline() == "not yet\n"
    code, _, _ = child.end(signal.SIGTERM)
    assert code == 128 + signal.SIGTERM


def test_a_bug_in_a_task_is_logged_and_ends_it_as_an_internal_error(start: Start) -> None:
    code, lines, _ = start("bug").end()
    assert code == ExitCode.INTERNAL
    [failed] = [line for line in lines if line["event"] == "service.failed"]
    assert "a bug in a task" in failed["exception"]


@pytest.mark.parametrize(
    ("ending", "code", "message"),
    [
        ("missing", ExitCode.UNAVAILABLE, "watcher: docker is missing. Install it\n"),
        ("wrong", ExitCode.FAILURE, "watcher: wrong from the start\n"),
    ],
)
def test_an_error_of_ours_is_one_line_without_a_traceback(
    start: Start, ending: str, code: int, message: str
) -> None:
    ended, lines, err = start(ending).end()
    assert (ended, err) == (code, message)
    assert not [line for line in lines if "exception" in line]


def test_a_taken_port_is_said_clearly(start: Start) -> None:
    first = start()
    first.until_ready()
    code, _, err = start().end()
    assert code == ExitCode.UNAVAILABLE
    assert err.startswith(f"watcher: port {first.port} on 127.0.0.1 is taken.")
    assert "health.watcher_port" in err


def test_wrong_settings_end_it_with_their_own_code(start: Start) -> None:
    code, _, err = start(MODELIUM_GATEWAY__PORT="many").end()
    assert code == ExitCode.CONFIG
    assert "gateway" in err.lower()
    assert "Traceback" not in err


def test_config_is_read_from_the_given_file(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "modelium.yaml"
    config.write_text("logging: {level: error}\n")
    child = start("serve", "--config", str(config))
    child.until_ready()
    assert child.end(signal.SIGTERM)[1] == []


def test_help_is_given_without_any_server(start: Start) -> None:
    child = start("serve", "--help", MODELIUM_NATS__URL="nats://127.0.0.1:1")
    out, _ = child.process.communicate(timeout=15)
    assert child.process.returncode == 0
    assert "--config PATH" in out


def test_it_waits_for_servers_that_are_not_there_yet_and_can_be_stopped(start: Start) -> None:
    child = start(MODELIUM_NATS__URL=f"nats://127.0.0.1:{free_port()}")
    wait_until("it is alive", lambda: child.get("/healthz")[0] == 200)
    status, body = child.get("/readyz")
    assert status == 503
    assert json.loads(body)["checks"] == {"nats": False, "redis": True, "started": False}
    code, lines, _ = child.end(signal.SIGTERM)
    assert code == ExitCode.OK
    assert names(lines).count("bus.waiting") == 1


def test_it_waits_for_a_store_that_is_not_there_yet(start: Start) -> None:
    child = start(MODELIUM_REDIS__URL=f"redis://127.0.0.1:{free_port()}/0")
    wait_until("it is alive", lambda: child.get("/healthz")[0] == 200)
    wait_until("NATS is there", lambda: '"nats": true' in child.get("/readyz")[1])
    assert child.get("/readyz")[0] == 503
    code, lines, _ = child.end(signal.SIGTERM)
    assert code == ExitCode.OK
    assert names(lines).count("store.waiting") == 1


async def test_it_handles_messages_and_counts_them(
    start: Start, environment: dict[str, str]
) -> None:
    child = start()
    await asyncio.to_thread(child.until_ready)
    bus = NatsBus(environment["MODELIUM_NATS__URL"], source="test")
    await bus.open(timeout_s=10)
    await bus.publish(ModelRequested(model="qwen"))
    await bus.close()
    line = 'modelium_events_consumed_total{subject="model.requested"} 1.0'
    await asyncio.to_thread(wait_until, "it was handled", lambda: line in child.get("/metrics")[1])
    _, _, err = await asyncio.to_thread(child.end, signal.SIGTERM)
    assert "got qwen\n" in err


def test_an_unknown_path_is_not_found(start: Start) -> None:
    child = start()
    child.until_ready()
    assert child.get("/secrets")[0] == 404
    assert 'modelium_build_info{service="watcher"' in child.get("/metrics")[1]
