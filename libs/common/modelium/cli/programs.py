"""What a local system consists of: each process, how it is started, known to be ready, stopped.

Pure: settings in, commands and configuration text out. `supervise.py` carries it out.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from modelium.cli.layout import Layout
from modelium.common.load_settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SERVICES = ("registry", "watcher", "brain", "orchestrator", "runtime_agent", "gateway")
"""In the order in which they start; they stop in the opposite one."""
STOP_S = 10
"""Seconds that a process without work of its own gets to end."""
LOG_BYTES = 10 << 20


@dataclass(frozen=True)
class Address:
    """Where a process listens, and the setting that says so."""

    host: str
    port: int
    setting: str


@dataclass(frozen=True)
class Program:
    """One process."""

    name: str
    command: tuple[str, ...]
    address: Address
    stop_s: int = STOP_S
    has_readyz: bool = True


@dataclass(frozen=True)
class Binaries:
    """The programs that are not Python; None: not needed, or not there."""

    python: Path
    nats: Path | None
    redis: Path | None
    redis_sets_title: bool = False
    """Whether it has to be told not to: its title would overwrite the mark (leftovers.py)."""


def is_local(url: str) -> bool:
    """Whether `modelium up` starts this server itself."""
    return urlsplit(url).hostname in LOOPBACK


def server_address(url: str, setting: str, default_port: int) -> Address:
    """Where a server of this URL listens."""
    parts = urlsplit(url)
    return Address(parts.hostname or "127.0.0.1", parts.port or default_port, setting)


def servers(settings: Settings, layout: Layout, binaries: Binaries) -> list[Program]:
    """NATS and Redis, as far as they are local."""
    programs = []
    if is_local(settings.nats.url):
        address = server_address(settings.nats.url, "nats.url", 4222)
        command = (str(binaries.nats), "-c", str(layout.nats_config))
        programs.append(Program("nats", command, address, has_readyz=False))
    if is_local(settings.redis.url):
        address = server_address(settings.redis.url, "redis.url", 6379)
        programs.append(
            Program("redis", _redis_command(address, layout, binaries), address, has_readyz=False)
        )
    return programs


def _redis_command(address: Address, layout: Layout, binaries: Binaries) -> tuple[str, ...]:
    options = {
        "--bind": _bind_address(address.host),
        "--port": str(address.port),
        "--dir": str(layout.data / "redis"),
        "--appendonly": "yes",
        "--save": "",
        "--daemonize": "no",
    }
    if binaries.redis_sets_title:
        options["--set-proc-title"] = "no"
    return (str(binaries.redis), *(word for pair in options.items() for word in pair))


def services(settings: Settings, binaries: Binaries, config: Path | None) -> list[Program]:
    """The six services, in starting order."""
    option = ("--config", str(config)) if config else ()
    stop_s = {
        "gateway": int(settings.gateway.shutdown_grace_seconds) + STOP_S,
        "runtime_agent": settings.vllm.shutdown_timeout_seconds + 2 * STOP_S,
    }
    return [
        Program(
            name,
            (str(binaries.python), "-m", f"modelium.{name}", *option),
            service_address(settings, name),
            stop_s.get(name, STOP_S),
        )
        for name in SERVICES
    ]


def service_address(settings: Settings, name: str) -> Address:
    """Where a service answers /readyz."""
    if name == "gateway":
        return Address(settings.gateway.host, settings.gateway.port, "gateway.port")
    port = getattr(settings.health, f"{name}_port")
    return Address(settings.health.host, port, f"health.{name}_port")


def reachable_host(host: str) -> str:
    """The host to connect to when a process listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)


def base_url(address: Address) -> str:
    """`http://host:port` of a service."""
    host = reachable_host(address.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{address.port}"


def nats_config(address: Address, layout: Layout) -> str:
    """The configuration file of our NATS server."""
    return (
        f"host: {_quoted(_bind_address(address.host))}\n"
        f"port: {address.port}\n"
        "server_name: modelium\n"
        "max_payload: 8MB\n"
        "jetstream {\n"
        f"  store_dir: {_quoted(str(layout.data / 'nats'))}\n"
        "}\n"
    )


def _bind_address(host: str) -> str:
    """localhost is bound by its number: servers differ in what they make of the name."""
    return "127.0.0.1" if host == "localhost" else host


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def supervisor_config(programs: Sequence[Program], layout: Layout) -> str:
    """The configuration file of supervisord; nothing starts by itself, `up` keeps the order."""
    head: dict[str, dict[str, object]] = {
        "unix_http_server": {"file": layout.socket, "chmod": "0600"},
        "supervisord": {
            "nodaemon": "true",
            "silent": "true",
            "logfile": layout.logs / "supervisord.log",
            "logfile_maxbytes": LOG_BYTES,
            "logfile_backups": 2,
            "pidfile": layout.run / "supervisord.pid",
            "childlogdir": layout.logs,
            "identifier": "modelium",
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
    }
    children = {
        f"program:{program.name}": _supervised(program, order, layout)
        for order, program in enumerate(programs, start=1)
    }
    return "\n".join(_section(name, keys) for name, keys in (head | children).items())


def _supervised(program: Program, order: int, layout: Layout) -> dict[str, object]:
    return {
        "command": shlex.join(program.command),
        "priority": order,
        "autostart": "false",
        "autorestart": "true",
        # A process that ends within a second waits before it is tried again, each time longer.
        "startsecs": 1,
        "startretries": 30,
        "stopsignal": "TERM",
        "stopwaitsecs": program.stop_s,
        "redirect_stderr": "true",
        "stdout_logfile": layout.logs / f"{program.name}.log",
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": 3,
    }


def _section(name: str, keys: dict[str, object]) -> str:
    lines = (f"{key}={str(value).replace('%', '%%')}" for key, value in keys.items())
    return "\n".join([f"[{name}]", *lines, ""])
