"""`modelium config apply`: what it sends, what it refuses, and what it says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from modelium.cli.apply_config import RestartNeeded, apply_config
from modelium.cli.gateway_client import Refused
from modelium.cli.show_config import show_config
from modelium.common.errors import DependencyUnavailable, SettingsError
from modelium.common.load_settings import load_with_origins
from modelium.common.policies import AppliedPolicies, PoliciesInForce
from modelium.common.settings import Policies

KEY = "orchestration.policies.min_residency_seconds"
VARIABLE = "MODELIUM_ORCHESTRATION__POLICIES__MIN_RESIDENCY_SECONDS"


class System:
    """A gateway with an orchestrator behind it that was started with a file."""

    def __init__(self, file: Path, **origins: str) -> None:
        loaded = load_with_origins(file)
        configured = loaded.settings.orchestration.policies
        self.in_force = PoliciesInForce(
            configured, dict(loaded.origins) | origins, loaded.file_digests
        )
        self.puts: list[dict[str, Any]] = []

    def put(self, body: dict[str, Any]) -> None:
        self.puts.append(body)
        record = AppliedPolicies(
            version=len(self.puts),
            policies=Policies.model_validate(body),
            named=tuple(body),
            instead_of=self.in_force.configured,
        )
        self.in_force.use(record)


@contextmanager
def gateway(
    system: System, monkeypatch: pytest.MonkeyPatch, *, status: int = 200
) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.command == "PUT":
                system.put(json.loads(body))
            self.send_response(status)
            self.end_headers()
            error = {"error": {"code": "no", "message": "It may not."}}
            report = system.in_force.report().model_dump(mode="json")
            self.wfile.write(json.dumps(report if status == 200 else error).encode())

        do_PUT = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("MODELIUM_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "modelium.yaml"
    path.write_text("vllm: {max_num_seqs: 8}\norchestration:\n  policies: {deepest_sleep: 1}\n")
    return path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def apply(file: Path, **options: bool) -> None:
    wanted = {"dry_run": False, "policies_only": False, "as_json": False} | options
    apply_config(file, **wanted)


def test_the_policies_of_the_file_are_sent_and_what_changes_is_shown(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    system = System(file)
    edit(file, "deepest_sleep: 1", "min_residency_seconds: 9, always_loaded: [a, b]")
    with gateway(system, monkeypatch):
        apply(file)
    assert system.puts == [{"min_residency_seconds": 9, "always_loaded": ["a", "b"]}]
    assert capsys.readouterr().out.splitlines() == [
        "orchestration.policies.always_loaded: [] -> [a, b]",
        f"{KEY}: 5.0 -> 9.0",
        "orchestration.policies.deepest_sleep: 1 -> 2",
    ]


def test_a_default_that_the_file_names_is_sent_once_though_nothing_changes(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Since then it is the operator's, and the brain does not tune it.
    system = System(file)
    edit(file, "deepest_sleep: 1", "deepest_sleep: 1, displace_after_seconds: 25")
    with gateway(system, monkeypatch):
        apply(file)
        apply(file)
    assert system.puts == [{"deepest_sleep": 1, "displace_after_seconds": 25}]
    assert "displace_after_seconds" in system.in_force.settled


def test_a_dry_run_shows_the_same_and_sends_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    system = System(file)
    edit(file, "deepest_sleep: 1", "deepest_sleep: 0")
    with gateway(system, monkeypatch):
        apply(file, dry_run=True)
    assert system.puts == []
    said = capsys.readouterr()
    assert said.out == "orchestration.policies.deepest_sleep: 1 -> 0\n"
    assert "nothing was applied" in said.err


def test_a_file_that_changes_nothing_is_not_sent(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    system = System(file)
    with gateway(system, monkeypatch):
        apply(file)
        edit(file, "deepest_sleep: 1", "deepest_sleep: 0")
        apply(file)
        apply(file)
    assert len(system.puts) == 1
    assert capsys.readouterr().err.count("no policy changes") == 2


def test_other_settings_are_refused_by_name_and_nothing_is_applied(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(file)
    edit(file, "max_num_seqs: 8", "max_num_seqs: 9")
    edit(file, "deepest_sleep: 1", "deepest_sleep: 0")
    file.write_text(file.read_text() + "gateway: {port: 8001}\n")
    with (
        gateway(system, monkeypatch),
        pytest.raises(RestartNeeded, match=r"gateway\.port, vllm\.max_num_seqs\. Nothing was"),
    ):
        apply(file)
    assert system.puts == []


def test_the_policies_alone_are_applied_when_that_is_asked_for(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    system = System(file)
    edit(file, "max_num_seqs: 8", "max_num_seqs: 9")
    edit(file, "deepest_sleep: 1", "deepest_sleep: 0")
    with gateway(system, monkeypatch):
        apply(file, policies_only=True)
    assert [put["deepest_sleep"] for put in system.puts] == [0]
    assert "needs a restart: vllm.max_num_seqs" in capsys.readouterr().err


def test_the_same_file_in_another_folder_is_the_same_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container: a relative path is another path there."""
    file.write_text("orchestration: {model_discovery: {watch_directories: [models]}}\n")
    system = System(file)
    other = tmp_path / "elsewhere" / "modelium.yaml"
    other.parent.mkdir()
    other.write_text(file.read_text())
    with gateway(system, monkeypatch):
        apply(other)


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ("deepest_sleep: 3", "deepest_sleep: expected less than or equal to 2, not 3"),
        ("deepst_sleep: 1", r"deepst_sleep is not a setting \(did you mean"),
        ("deepest_sleep: [", "modelium.yaml, line"),
    ],
)
def test_a_wrong_file_is_told_as_at_a_start_and_asks_nobody(
    file: Path, monkeypatch: pytest.MonkeyPatch, new: str, problem: str
) -> None:
    system = System(file)
    edit(file, "deepest_sleep: 1", new)
    monkeypatch.setenv(VARIABLE.replace("MIN_RESIDENCY_SECONDS", "DEEPEST_SLEEP"), "2")
    with gateway(system, monkeypatch), pytest.raises(SettingsError, match=problem):
        apply(file)
    assert system.puts == []


def test_the_commands_own_environment_is_not_applied(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(file)
    monkeypatch.setenv(VARIABLE, "99")
    edit(file, "deepest_sleep: 1", "deepest_sleep: 0")
    with gateway(system, monkeypatch):
        apply(file)
    assert system.puts == [{"deepest_sleep": 0}]


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_variable_of_the_orchestrator_that_wins_is_named(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    dry_run: bool,
) -> None:
    system = System(file, **{KEY: VARIABLE})
    edit(file, "deepest_sleep: 1", "min_residency_seconds: 9")
    with gateway(system, monkeypatch):
        apply(file, dry_run=dry_run)
    said = capsys.readouterr()
    assert said.out == "orchestration.policies.deepest_sleep: 1 -> 2\n"
    assert f"{KEY} stays as it is: {VARIABLE}" in said.err


def test_for_programs(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    system = System(file)
    edit(file, "deepest_sleep: 1", "deepest_sleep: 0")
    with gateway(system, monkeypatch):
        apply(file, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "applied": True,
        "version": 1,
        "changed": {"deepest_sleep": "1 -> 0"},
        "overruled": {},
        "needs_restart": [],
    }


def test_a_refusal_and_no_gateway_are_errors(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(System(file), monkeypatch, status=403), pytest.raises(Refused, match="may not"):
        apply(file)
    monkeypatch.setenv("MODELIUM_URL", "http://127.0.0.1:1")
    with pytest.raises(DependencyUnavailable, match="No gateway answers"):
        apply(file)


def test_show_has_the_policies_in_force_and_where_each_is_set(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    system = System(file)
    system.put({"min_residency_seconds": 9, "deepest_sleep": 1})
    with gateway(system, monkeypatch):
        show_config(file, origin=True, as_json=False)
    said = capsys.readouterr().out
    assert f"{KEY}: 9   # applied\n" in said
    assert f"orchestration.policies.deepest_sleep: 1   # {file}\n" in said
    assert "orchestration.policies.always_loaded: []   # default\n" in said
    assert "orchestration.policies: in force, as http://" in said


def test_show_says_so_when_nobody_knows_what_is_in_force(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELIUM_URL", "http://127.0.0.1:1")
    show_config(file, origin=True, as_json=False)
    said = capsys.readouterr().out
    assert "as they would take effect here. No gateway answers" in said
    assert f"orchestration.policies.deepest_sleep: 1   # {file}\n" in said
