"""`modelium plan` and `modelium explain` beside a whole system: real NATS, Redis and services."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.errors import ExitCode
from modelium.common.settings import MIB
from tests.system import System, running, stub_python, wait_until

ENGINE = {"vllm": {"overhead_bytes": 300 * MIB, "kv_cache_bytes": 100 * MIB}}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Two models, and memory for one engine."""
    engine = stub_python(tmp_path, "--resident-mib", "400")
    with running(tmp_path, engine_python=engine, slot_bytes=700 * MIB, settings=ENGINE) as started:
        for name in ("a", "b"):
            write_sample_model(started.models / name)
            started.wait_for_state(name, "unloaded")
        yield started


class Command:
    """`modelium`, with the gateway of the system."""

    def __init__(self, system: System) -> None:
        self._environment = os.environ | {"MODELIUM_URL": system.url}

    def run(self, *words: str, expect: int = ExitCode.OK) -> str:
        """What it says: its result, or what went wrong."""
        command = (sys.executable, "-m", "modelium.cli.main", *words)
        ended = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=60
        )
        assert ended.returncode == expect, ended.stdout + ended.stderr
        return ended.stderr if expect else ended.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))


def chat(system: System, model: str, request_id: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
    request = urllib.request.Request(
        f"{system.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", "x-request-id": request_id},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert json.load(answer)["model"] == model


def test_what_is_planned_happens_and_is_explained(system: System) -> None:
    command = Command(system)
    plan_becomes(command, "a", "load")
    assert command.run("plan", "a").startswith("a would be loaded on CPU slot 0")
    chat(system, "a", "first")
    plan_becomes(command, "a", "route")
    displaces = plan_becomes(command, "b", "displace")
    assert [victim["model"] for victim in displaces["victims"]] == ["a"]
    chat(system, "b", "second")
    explain_the_model(command)
    explain_the_request(command)
    explain_a_decision(command)


def plan_becomes(command: Command, model: str, outcome: str) -> Any:
    """The plan, once the orchestrator has heard of what makes it so."""

    def planned() -> Any:
        plan = command.json("plan", model)
        return plan if plan["outcome"] == outcome else None

    return wait_until(f"the plan for {model} is to {outcome}", planned)


def explain_the_model(command: Command) -> None:
    found = command.json("explain", "a")
    actions = [d["action"] for record in found["decisions"] for d in record["decisions"]]
    assert (found["about"], found["state"]) == ("model", "unloaded")
    assert [action for action in actions if action in ("load", "evict")] == ["load", "evict"]
    assert "makes room for b" in command.run("explain", "a")


def explain_the_request(command: Command) -> None:
    ended = wait_until(
        "the gateway has noted its end",
        lambda: found if (found := command.json("explain", "second"))["request"]["ended"] else None,
    )
    assert (ended["request"]["model"], ended["request"]["ended"]) == ("b", "served")
    assert ended["request"]["waited_s"] > 0
    decided = [d for record in ended["decisions"] for d in record["decisions"]]
    assert ["a"] in [d["victims"] for d in decided if d["action"] == "queue"]
    assert "then it was served" in command.run("explain", "second")


def explain_a_decision(command: Command) -> None:
    [*_, newest] = command.json("explain", "b")["decisions"]
    found = command.json("explain", newest["decision_id"])
    assert (found["about"], found["id"]) == ("decision", newest["decision_id"])
    assert found["decisions"][0]["origin"] == newest["origin"]


def test_what_cannot_be_said_is_one_sentence_and_exit_code_1(system: System) -> None:
    command = Command(system)
    failure = ExitCode.FAILURE
    assert "There is no model nobody" in command.run("plan", "nobody", expect=failure)
    assert "Nothing is kept of 'no/thing'" in command.run("explain", "no/thing", expect=failure)
    system.kill("orchestrator")
    system.children.pop("orchestrator")
    said = command.run("plan", "a", expect=failure)
    assert "The orchestrator" in said
    assert "Traceback" not in said
