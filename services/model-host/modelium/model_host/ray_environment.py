"""What Ray is told by its environment; it must stand before Ray is imported.

Nothing is reported to anybody, nothing is shared with another Ray on the machine, and HAProxy is
the ingress: it passes requests straight to the replica.
"""

import secrets
import socket
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 20_000
_PORTS = 100
"""Those after the first that a replica may listen on."""


def ray_environment(folder: str, threads: int) -> dict[str, str]:
    """For a Ray whose files are in `folder`, which has a short path: sockets are among them."""
    stats, metrics, http, grpc, first = free_ports(5)
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_COLOR_PREFIX": "0",
        # Its control ports listen on all addresses: only who knows this token may use them.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/haproxy/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": f"{folder}/haproxy",
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/haproxy/server-state",
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        # What answers while there is no replica. Ray's own defaults are the same for everybody:
        # another Ray on this machine would answer, with another model.
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(http),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(grpc),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + _PORTS),
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        "OMP_NUM_THREADS": str(threads),
    }


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now.

    They are used seconds later, when Ray has opened dozens of others: not of those that the kernel
    gives to whoever asks for any.
    """
    ports = [*range(_LOWEST, _given_to_any() - _PORTS)]
    secrets.SystemRandom().shuffle(ports)
    with ExitStack() as held:
        # 0: any, where the kernel has left none below.
        found = (_held(port, held) for port in [*ports, *[0] * count])
        return [*islice(filter(None, found), count)]


def _given_to_any() -> int:
    """The first port that the kernel gives to whoever asks for any."""
    return int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 0


def _held(port: int, held: ExitStack) -> int | None:
    """The port while it is held; None if somebody else has it."""
    try:
        listening = held.enter_context(socket.create_server(("", port)))
    except OSError:
        return None
    return int(listening.getsockname()[1])
