"""What is found before anything starts, each with a remedy."""

import socket
from pathlib import Path

import pytest

from modelium.cli import preflight
from modelium.cli.layout import Layout
from modelium.cli.programs import Address, Program
from modelium.common.errors import DependencyUnavailable, PermissionMissing, SettingsError
from modelium.common.load_settings import Settings


def program(name: str, port: int, setting: str = "gateway.port") -> Program:
    return Program(name, ("true",), Address("127.0.0.1", port, setting))


def script(path: Path, line: str) -> Path:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


def watching(folder: Path) -> Settings:
    discovery = {"watch_directories": [str(folder)]}
    return Settings.model_validate({"orchestration": {"model_discovery": discovery}})


def test_folders_are_made(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ".modelium")
    preflight.check_folders(watching(tmp_path / "a" / "models"), layout)
    assert (tmp_path / "a" / "models").is_dir()
    assert layout.run.is_dir()
    assert layout.run.stat().st_mode & 0o077 == 0


def test_a_file_where_a_folder_has_to_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(PermissionMissing, match="models cannot be made: File exists"):
        preflight.check_folders(watching(tmp_path / "models"), Layout(tmp_path / ".modelium"))


def test_a_port_that_two_settings_want_is_refused() -> None:
    with pytest.raises(DependencyUnavailable, match=r"gateway.port and nats.url are both 1999"):
        preflight.check_ports([program("gateway", 1999), program("nats", 1999, "nats.url")])


def test_all_taken_ports_are_told_at_once() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        pytest.raises(DependencyUnavailable) as refusal,
    ):
        ports = [server.getsockname()[1] for server in (one, two)]
        preflight.check_ports([program("gateway", ports[0]), program("nats", ports[1], "nats.url")])
    assert f"Port {ports[0]} for gateway" in str(refusal.value)
    assert f"Port {ports[1]} for nats" in str(refusal.value)


def test_a_port_that_changes_with_each_start_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"gateway.port"):
        preflight.check_ports([program("gateway", 0)])


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("echo nats-server: v2.15.1", (2, 15, 1)),
        ("echo nats-server: v2.9.10", (2, 9, 10)),
        ("echo hello", (0,)),
        ("exit 1", (0,)),
    ],
)
def test_the_version_of_nats_is_read(tmp_path: Path, line: str, version: tuple[int, ...]) -> None:
    assert preflight.nats_version(str(script(tmp_path / "nats-server", line))) == version


def test_an_old_nats_on_path_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = script(tmp_path / "nats-server", "echo nats-server: v2.9.10")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert preflight.find_nats() != old


def test_the_version_of_redis_is_read(tmp_path: Path) -> None:
    binary = script(tmp_path / "redis-server", "echo Redis server v=7.0.15 sha=0:0 malloc=jemalloc")
    assert preflight.redis_version(str(binary)) == (7, 0, 15)


def test_only_an_engine_whose_installation_is_complete_is_found(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for name in ("vllm-1", "vllm-2"):
        (layout.engines / name / "bin").mkdir(parents=True)
        script(layout.engines / name / "bin" / "python", "true")
    with pytest.raises(DependencyUnavailable, match="No vLLM engine is installed"):
        preflight.find_engine_python(Settings(), layout)
    (layout.engines / "vllm-1" / ".complete").touch()
    found = preflight.find_engine_python(Settings(), layout)
    assert found == layout.engines / "vllm-1" / "bin" / "python"


def test_no_engine_is_needed_where_both_runtimes_are_off(tmp_path: Path) -> None:
    off = {"enabled": False}
    settings = Settings.model_validate({"vllm": off, "ray_serve": off})
    assert preflight.find_engine_python(settings, Layout(tmp_path)) is None


def test_where_only_the_general_runtime_is_on_its_own_interpreter_is_taken(tmp_path: Path) -> None:
    python = script(tmp_path / "python", "true")
    settings = Settings.model_validate(
        {"vllm": {"enabled": False}, "ray_serve": {"python": str(python)}}
    )
    assert preflight.find_engine_python(settings, Layout(tmp_path)) == python
