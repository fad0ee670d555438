"""What two Rays on one machine must not share."""

import socket
from pathlib import Path

from modelium.model_host.ray_environment import free_ports, ray_environment

PORTS = (
    *("RAY_SERVE_HAPROXY_STATS_PORT", "RAY_SERVE_HAPROXY_METRICS_PORT"),
    *("RAY_SERVE_FALLBACK_PROXY_HTTP_PORT", "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT"),
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT",
)


def test_no_port_is_that_of_another_ray() -> None:
    """With the fallback's default HAProxy had passed requests to the model of another Ray."""
    said = ray_environment("/tmp/mh", 1), ray_environment("/tmp/mh", 1)
    ports = [int(one[name]) for one in said for name in PORTS]
    assert len(set(ports)) == 2 * len(PORTS)


def test_ports_are_not_those_that_ray_takes_meanwhile() -> None:
    given_to_any = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = free_ports(3)
    assert given_to_any < 21_000 or max(ports) < given_to_any
    for port in ports:
        socket.create_server(("", port)).close()
