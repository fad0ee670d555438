"""Prometheus metrics of the shared shell, in the default registry; services add their own.

Names follow the rules of Prometheus: prefix `modelium_`, base units, `_total` for counters. Labels
have few values: never an id of a request, a message or a key.
"""

import asyncio
from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge

BUILD_INFO: Final = Gauge(
    "modelium_build_info", "Version and service of this process; always 1.", ["version", "service"]
)
EVENTS_PUBLISHED: Final = Counter(
    "modelium_events_published_total", "Messages sent to NATS.", ["subject"]
)
EVENTS_CONSUMED: Final = Counter(
    "modelium_events_consumed_total", "Messages handled to their end.", ["subject"]
)
EVENTS_REDELIVERED: Final = Counter(
    "modelium_events_redelivered_total", "Messages given back to be delivered again.", ["subject"]
)
EVENTS_DEAD_LETTERED: Final = Counter(
    "modelium_events_dead_lettered_total", "Messages that could not be handled.", ["subject"]
)
LEADER: Final = Gauge(
    "modelium_leader", "1 while this process leads, of those that share a lease.", ["lease"]
)
TASKS: Final = Gauge("modelium_tasks", "Tasks of asyncio that have not ended.")


def announce_build(service: str) -> None:
    """Set `modelium_build_info` for this process, and count the tasks of the running loop."""
    BUILD_INFO.labels(version=version("modelium"), service=service).set(1)
    loop = asyncio.get_running_loop()
    TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
