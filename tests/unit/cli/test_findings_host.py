"""What `modelium doctor` says of the machine's limits, of clocks and of versions."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from modelium.cli.finding import Finding, Patient, Verdict
from modelium.cli.findings import ports
from modelium.cli.findings_host import file_events, model_disk, shared_memory
from modelium.cli.findings_peers import answering, clocks, gateway
from modelium.cli.layout import Layout
from modelium.common.errors import DependencyUnavailable
from modelium.common.load_settings import Settings
from tests.servers import Server
from tests.system import free_port
from tests.unit.cli.test_gateway_client import gateway as said_by_gateway

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
Check = Callable[[Patient], Iterator[Finding]]


def patient(folder: Path, **settings: Any) -> Patient:
    models = {"model_discovery": {"watch_directories": [str(folder)]}}
    every = Settings.model_validate({"orchestration": models, **settings})
    return Patient(every, None, Layout(folder))


@pytest.mark.parametrize(
    ("watches", "instances", "remedy"),
    [
        ("192536", "128", ""),
        ("1000", "128", "sysctl fs.inotify.max_user_watches=2004"),
        ("192536", "8", "sysctl fs.inotify.max_user_instances=128"),
        ("", "", ""),
    ],
)
def test_file_events_need_a_watch_for_each_folder(
    tmp_path: Path, watches: str, instances: str, remedy: str
) -> None:
    (tmp_path / "models" / "a").mkdir(parents=True)
    if watches:
        (tmp_path / "max_user_watches").write_text(f"{watches}\n")
        (tmp_path / "max_user_instances").write_text(f"{instances}\n")
    [found] = file_events(patient(tmp_path / "models"), tmp_path)
    assert (found.remedy, found.verdict is Verdict.OK) == (remedy, not remedy)


def test_shared_memory_has_to_be_there_where_engines_are_processes(tmp_path: Path) -> None:
    [missing] = shared_memory(patient(tmp_path), tmp_path / "none")
    assert missing.verdict is Verdict.FAILED
    [there] = shared_memory(patient(tmp_path), tmp_path)
    assert there.verdict is Verdict.OK
    wanted = patient(tmp_path, vllm={"shm_bytes": 1 << 60})
    [small] = shared_memory(wanted, tmp_path)
    assert small.verdict is Verdict.WARNING
    assert small.remedy.startswith("mount -o remount,size=")


def test_a_disk_with_several_models_folders_is_looked_at_once(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    models = {"model_discovery": {"watch_directories": [*map(str, folders), "/nowhere"]}}
    settings = Settings.model_validate({"orchestration": models})
    [found] = model_disk(Patient(settings, None, Layout(tmp_path)))
    assert str(folders[0]) in found.text


@pytest.mark.parametrize(
    ("behind_s", "verdict"), [(1, Verdict.OK), (-30, Verdict.WARNING), (300, Verdict.FAILED)]
)
def test_clocks_that_are_apart_are_found(behind_s: int, verdict: Verdict) -> None:
    theirs = format_datetime(NOW - timedelta(seconds=behind_s), usegmt=True)
    assert clocks(theirs, NOW).verdict is verdict


@pytest.mark.parametrize("same", [True, False])
def test_a_gateway_of_another_version_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, same: bool
) -> None:
    theirs = version("modelium") if same else "99.0"
    with said_by_gateway(json.dumps({"version": theirs})) as (client, _):
        monkeypatch.setenv("MODELIUM_URL", client.url)
        found, clock = gateway(patient(tmp_path))
    assert (found.verdict is Verdict.OK) is same
    assert theirs in found.text
    assert clock.subject == "clock skew"


def test_servers_say_their_version_and_whether_nats_keeps_streams(
    tmp_path: Path, nats: Server, redis: Server
) -> None:
    urls = {"nats": {"url": nats.url}, "redis": {"url": f"{redis.url}/0"}}
    found = list(answering(patient(tmp_path, **urls)))
    assert [f.verdict for f in found] == [Verdict.OK, Verdict.OK]
    assert all(re.search(r"version \d+\.\d+\.\d+$", f.text) for f in found)


@pytest.mark.parametrize(
    ("host", "verdict"), [("127.0.0.1", Verdict.OK), ("0.0.0.0", Verdict.FAILED)]
)
def test_servers_that_are_away_are_a_fault_only_where_up_does_not_start_them(
    tmp_path: Path, host: str, verdict: Verdict
) -> None:
    urls = {"nats": f"nats://{host}:{free_port()}", "redis": f"redis://{host}:{free_port()}/0"}
    found = answering(patient(tmp_path, **{name: {"url": url} for name, url in urls.items()}))
    assert [f.verdict for f in found] == [verdict, verdict]


def test_ports_of_a_system_that_was_started_elsewhere_are_no_fault(tmp_path: Path) -> None:
    with said_by_gateway(json.dumps({"version": "1"})) as (client, _):
        port = int(client.url.rpartition(":")[2])
        [found] = ports(patient(tmp_path, gateway={"port": port}))
        assert found.verdict is Verdict.OK
        with pytest.raises(DependencyUnavailable, match=f"Port {port} for registry is taken"):
            elsewhere = {"gateway": {"port": free_port()}, "health": {"registry_port": port}}
            list(ports(patient(tmp_path, **elsewhere)))
