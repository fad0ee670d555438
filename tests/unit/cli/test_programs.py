"""What would be started, and the configuration files for it."""

import configparser
import shlex
from pathlib import Path

import pytest

from modelium.cli import programs
from modelium.cli.layout import SOCKET_PATH_LIMIT, Layout
from modelium.cli.programs import Address, Binaries
from modelium.common.load_settings import Settings

LAYOUT = Layout(Path("/somewhere with space/100%/.modelium"))
BINARIES = Binaries(Path("/bin/py"), Path("/bin/nats-server"), Path("/bin/redis-server"))


def local(settings: Settings) -> list[programs.Program]:
    return [
        *programs.servers(settings, LAYOUT, BINARIES),
        *programs.services(settings, BINARIES, Path("/etc/m.yaml")),
    ]


def test_servers_come_first_and_the_gateway_last() -> None:
    names = [program.name for program in local(Settings())]
    assert names[:2] == ["nats", "redis"]
    assert names[-1] == "gateway"
    assert len(names) == 8


def test_a_server_elsewhere_is_not_started() -> None:
    settings = Settings.model_validate(
        {"nats": {"url": "nats://bus.example:4222"}, "redis": {"url": "redis://10.0.0.7/0"}}
    )
    assert programs.servers(settings, LAYOUT, BINARIES) == []


def test_a_server_listens_where_its_url_says_and_on_loopback_only() -> None:
    settings = Settings.model_validate(
        {"nats": {"url": "nats://localhost:1"}, "redis": {"url": "redis://localhost"}}
    )
    nats, redis = programs.servers(settings, LAYOUT, BINARIES)
    assert nats.address.port == 1
    assert redis.address.port == 6379
    options = dict(zip(redis.command[1::2], redis.command[2::2], strict=True))
    assert (options["--bind"], options["--port"]) == ("127.0.0.1", "6379")
    assert options["--appendonly"] == "yes"
    assert 'host: "127.0.0.1"' in programs.nats_config(nats.address, LAYOUT)


def test_supervisord_gets_back_what_was_written_whatever_the_paths_contain() -> None:
    wanted = local(Settings())
    parser = configparser.ConfigParser()  # expands % as supervisord does
    parser.read_string(programs.supervisor_config(wanted, LAYOUT))
    for program in wanted:
        section = parser[f"program:{program.name}"]
        assert tuple(shlex.split(section["command"])) == program.command
        assert section["stdout_logfile"] == str(LAYOUT.logs / f"{program.name}.log")
        assert section.getint("stopwaitsecs") == program.stop_s
    assert [parser[f"program:{p.name}"].getint("priority") for p in wanted] == list(range(1, 9))


def test_gateway_and_agent_get_the_time_that_their_settings_promise() -> None:
    settings = Settings.model_validate(
        {"gateway": {"shutdown_grace_seconds": 100}, "vllm": {"shutdown_timeout_seconds": 200}}
    )
    stop_s = {program.name: program.stop_s for program in local(settings)}
    assert stop_s["gateway"] > 100
    assert stop_s["runtime_agent"] > 200


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("box.example", "http://box.example:8000"),
    ],
)
def test_an_address_is_asked_where_it_can_be_reached(host: str, url: str) -> None:
    assert programs.base_url(Address(host, 8000, "gateway.port")) == url


def test_a_folder_too_deep_for_a_socket_has_it_elsewhere_and_always_the_same() -> None:
    deep = Layout(Path("/" + "deep/" * 30) / ".modelium")
    assert len(str(deep.socket)) <= SOCKET_PATH_LIMIT
    assert deep.socket == Layout(deep.folder).socket
    assert Layout(Path("/x/.modelium")).socket == Path("/x/.modelium/run/supervisor.sock")
