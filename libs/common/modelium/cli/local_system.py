"""The processes of one local system: what they are, and starting them in order.

When to start and what to tell the user is left to `up.py`, stopping to `down.py`.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from socket import create_connection

from modelium.cli import leftovers, preflight, programs
from modelium.cli.console import Step, step
from modelium.cli.gateway_client import GatewayClient
from modelium.cli.layout import Layout
from modelium.cli.programs import Address, Program
from modelium.cli.supervise import Supervisor, log_tail
from modelium.cli.waiting import until
from modelium.common.errors import DependencyUnavailable
from modelium.common.load_settings import Loaded, Settings

READY_TIMEOUT_S = 60.0
FAILED_STATES = frozenset({"BACKOFF", "FATAL", "EXITED", "UNKNOWN"})


@dataclass(frozen=True)
class LocalSystem:
    """The settings of one local system and where it lives."""

    settings: Settings
    layout: Layout
    programs: tuple[Program, ...]
    supervisor: Supervisor
    environment: dict[str, str]

    @property
    def client(self) -> GatewayClient:
        """Of its own gateway, whatever `MODELIUM_URL` says."""
        address = programs.service_address(self.settings, "gateway")
        return GatewayClient.at(programs.base_url(address))


def prepare(loaded: Loaded, layout: Layout) -> LocalSystem:
    """Check everything but ports, and write down what would be started."""
    settings = loaded.settings
    preflight.check_folders(settings, layout)
    binaries = preflight.find_binaries(settings)
    engine = preflight.find_engine_python(settings, layout)
    environment = leftovers.environment(layout.run)
    if engine is not None:
        environment["MODELIUM_VLLM__PYTHON"] = str(engine)
    children = (
        *programs.servers(settings, layout, binaries),
        *programs.services(settings, binaries, loaded.file),
    )
    return LocalSystem(settings, layout, children, Supervisor(layout), environment)


@contextmanager
def exclusively(layout: Layout) -> Iterator[None]:
    """Only one `up` at a time starts something here."""
    with layout.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise DependencyUnavailable(
                "Another `modelium up` is at work here",
                "Wait until it has ended, or end it by `modelium down`.",
            ) from busy
        yield


def start(system: LocalSystem) -> None:
    """Start everything, each process when those before it are ready."""
    _check_foreign_servers(system)
    for program in system.programs:
        if program.name == "nats":
            text = programs.nats_config(program.address, system.layout)
            system.layout.nats_config.write_text(text, encoding="utf-8")
    configuration = programs.supervisor_config(system.programs, system.layout)
    system.supervisor.spawn(configuration, system.environment)
    start_in_order(system, system.programs)


def _check_foreign_servers(system: LocalSystem) -> None:
    """A server on another machine is not ours to start, but it has to be there."""
    settings = system.settings
    addresses = {
        "nats": programs.server_address(settings.nats.url, "nats.url", 4222),
        "redis": programs.server_address(settings.redis.url, "redis.url", 6379),
    }
    ours = {program.name for program in system.programs}
    for name, address in addresses.items():
        if name not in ours and not answers(address, readyz=False):
            raise DependencyUnavailable(
                f"{name} does not answer at {address.host}:{address.port}",
                f"Start it, or correct {address.setting}.",
            )


def start_in_order(system: LocalSystem, wanted: Sequence[Program]) -> None:
    """Start these: each server when the one before is ready, then all services at once."""
    servers = [program for program in wanted if not program.has_readyz]
    services = [program for program in wanted if program.has_readyz]
    for batch in (*([server] for server in servers), services):
        for program in batch:
            system.supervisor.start(program.name)
        for program in batch:
            with step(program.name, "ready") as shown:
                _wait_until_ready(system, program, shown)


def _wait_until_ready(system: LocalSystem, program: Program, shown: Step) -> None:
    def ready_or_failed() -> str | None:
        state = system.supervisor.states().get(program.name, "UNKNOWN")
        if state in FAILED_STATES:
            return state
        return "ready" if answers(program.address, readyz=program.has_readyz) else None

    found = until(ready_or_failed, timeout_s=READY_TIMEOUT_S, step=shown)
    if found == "ready":
        return
    log = system.layout.logs / f"{program.name}.log"
    tail = "\n".join(f"    {line}" for line in log_tail(log, 8))
    what = f"was not ready within {READY_TIMEOUT_S:.0f} s" if found is None else "did not start"
    raise DependencyUnavailable(f"{program.name} {what}:\n{tail}\n", f"The whole log is {log}.")


def answers(address: Address, *, readyz: bool) -> bool:
    """Whether it says that it is ready, or at least accepts a connection."""
    host = programs.reachable_host(address.host)
    try:
        if not readyz:
            create_connection((host, address.port), timeout=1.0).close()
            return True
        connection = HTTPConnection(host, address.port, timeout=2.0)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        finally:
            connection.close()
    except (OSError, HTTPException):
        return False
