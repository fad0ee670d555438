"""`modelium config apply` beside a whole system: real NATS, Redis and services."""

import json
import os
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelium.cli.sample import write_sample_model
from modelium.common.errors import ExitCode
from tests.pairs import Pair
from tests.system import System, running, stub_python, wait_until

VARIABLE = "MODELIUM_ORCHESTRATION__POLICIES__MIN_RESIDENCY_SECONDS"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with running(tmp_path, engine_python=stub_python(tmp_path), slot_bytes=4 << 30) as started:
        yield started


def config(system: System, *words: str, expect: int = ExitCode.OK) -> str:
    """What `modelium config` says: its result, or what went wrong."""
    command = [sys.executable, "-m", "modelium.cli.main", "config", *words]
    ended = subprocess.run(
        [*command, "--config", str(system.config)], capture_output=True, text=True, timeout=90
    )
    assert ended.returncode == expect, ended.stdout + ended.stderr
    return ended.stderr if expect else ended.stdout


def shown(system: System, name: str) -> tuple[Any, str]:
    """Value and origin of a policy, as `config show` has them."""
    key = f"orchestration.policies.{name}"
    [found] = [s for s in json.loads(config(system, "show", "--json")) if s["key"] == key]
    return found["value"], found["origin"]


def in_force(system: System, name: str) -> tuple[Any, str] | None:
    """The same as the orchestrator says; None while none leads."""
    try:
        report = system.get("/admin/policies")
    except urllib.error.HTTPError:
        return None
    return report["policies"][name], report["origins"][name]


def wait_for(system: System, name: str, value: Any, origin: str) -> None:
    wait_until(f"{name} is {value}", lambda: in_force(system, name) == (value, origin))


def edit(system: System, **policies: Any) -> None:
    """Write these policies into the file, and nothing else."""
    settings = yaml.safe_load(system.config.read_text())
    settings["orchestration"]["policies"] |= policies
    system.config.write_text(yaml.safe_dump(settings))


def restart(system: System, name: str) -> None:
    system.kill(name)
    system.start(name)


def test_what_is_applied_is_done_at_once_and_after_a_restart(system: System) -> None:
    what_is_wrong_or_needs_a_restart_changes_nothing(system)
    write_sample_model(system.models / "b")
    system.wait_for_state("b", "unloaded")
    edit(system, always_loaded=["b"], min_residency_seconds=1.5)
    assert "always_loaded: [] -> [b]" in config(system, "apply", "--dry-run")
    assert shown(system, "always_loaded") == ([], "default")
    assert "min_residency_seconds: 0.5 -> 1.5" in config(system, "apply")
    assert shown(system, "always_loaded") == (["b"], "applied")
    system.wait_for_state("b", "loaded")
    refused = system_refuses_to_unload(system, "b")
    assert "always_loaded" in refused
    restart(system, "orchestrator")
    wait_for(system, "always_loaded", ["b"], str(system.config))
    assert config(system, "apply") == ""


def what_is_wrong_or_needs_a_restart_changes_nothing(system: System) -> None:
    right = system.config.read_text()
    edit(system, deepest_sleep=7)
    assert "deepest_sleep: expected" in config(system, "apply", expect=ExitCode.CONFIG)
    system.config.write_text(right)
    settings = yaml.safe_load(right)
    settings["orchestration"]["policies"]["deepest_sleep"] = 1
    settings["vllm"]["max_num_seqs"] = 3
    system.config.write_text(yaml.safe_dump(settings))
    assert "vllm.max_num_seqs" in config(system, "apply", expect=ExitCode.CONFIG)
    assert shown(system, "deepest_sleep") == (2, "default")
    system.config.write_text(right)


def system_refuses_to_unload(system: System, model: str) -> str:
    """The gateway has heard of it, too."""
    command = [sys.executable, "-m", "modelium.cli.main", "unload", model]
    environment = os.environ | {"MODELIUM_URL": system.url}

    def refused() -> str:
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        return ended.stderr if ended.returncode == ExitCode.FAILURE else ""

    said: str = wait_until("it is refused", refused)
    return said


def test_the_standby_goes_by_them_and_an_edited_file_wins_at_a_restart(system: System) -> None:
    pair = Pair(system, "orchestrator")
    leader = pair.leader()
    edit(system, min_residency_seconds=7.0)
    config(system, "apply")
    system.kill(leader)
    pair.wait_for(pair.other(leader))
    wait_for(system, "min_residency_seconds", 7.0, "applied")
    system.kill(pair.other(leader))
    system.children.pop(pair.other(leader))
    edit(system, min_residency_seconds=8.0)
    system.start("orchestrator")
    wait_for(system, "min_residency_seconds", 8.0, str(system.config))


def test_a_variable_of_the_orchestrator_wins_and_is_named(system: System) -> None:
    system.kill("orchestrator")
    system.spawn("orchestrator", system.command("orchestrator"), **{VARIABLE: "2"})
    wait_until("it is ready", lambda: system.is_ready("orchestrator"))
    edit(system, min_residency_seconds=9.0, displace_after_seconds=3.0)
    wait_for(system, "min_residency_seconds", 2.0, VARIABLE)
    assert "displace_after_seconds: 25.0 -> 3.0" in config(system, "apply")
    assert shown(system, "min_residency_seconds") == (2.0, VARIABLE)
    assert shown(system, "displace_after_seconds") == (3.0, "applied")
