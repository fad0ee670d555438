"""Runs a trace through a node and a policy. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from modelium.common.records import ModelState
from modelium.replay.node import Node
from modelium.replay.trace import HOUR_S, Request


class Driver(Protocol):
    """Acts on a node: whenever something changed, and when it says that time alone matters."""

    def act(self, node: Node) -> None:
        """Load and stop engines."""

    def due_s(self, node: Node, acted_s: float) -> float:
        """When it wants to act although nothing changed, having last done so at `acted_s`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run cost."""

    requests: int
    cold: int
    """Of these, that had to wait."""
    loads: int
    wakes: int
    mean_wait_s: float
    p99_wait_s: float
    max_wait_s: float
    longest_request_s: float
    device_hours: float
    """Of a whole device's memory that engines held: half of it for two hours is one."""
    waits: tuple[tuple[float, float], ...]
    """When somebody came that had to wait, and for how long."""
    bound_s: float | None = None
    """What nobody may wait longer than; None: nothing is promised."""


def run(node: Node, requests: Sequence[Request], driver: Driver) -> Outcome:
    """Until every request has been served."""
    models = node.models
    for request in requests:
        models[request.model].arrivals.append(request.at_s)
    acted_s = 0.0
    for request in requests:
        acted_s = _until(node, request.at_s, driver, acted_s)
        node.arrive(request)
        if node.changed:
            _act(node, driver)
    while node.next_s < inf or node.wanted:
        acted_s = _until(node, max(node.next_s, node.now_s) + 1, driver, acted_s)
    return outcome(node, max(request.lasts_s for request in requests))


def _until(node: Node, at_s: float, driver: Driver, acted_s: float) -> float:
    """Everything before `at_s`; returns when the driver acted last because of the time."""
    while True:
        due_s = max(driver.due_s(node, acted_s), node.now_s)
        next_s = node.next_s
        if next_s >= at_s and due_s >= at_s:
            return acted_s
        if due_s < next_s:
            node.now_s = acted_s = due_s
            _act(node, driver)
        else:
            node.advance()
            if node.changed:
                _act(node, driver)


def _act(node: Node, driver: Driver) -> None:
    node.changed = False
    driver.act(node)


def outcome(node: Node, longest_request_s: float) -> Outcome:
    """The figures of a node that has served everybody."""
    waits_s = sorted(wait_s for _, wait_s in node.waits)
    at_once = node.served - len(waits_s)
    p99 = min(node.served - 1, int(0.99 * node.served)) - at_once
    for device in node.devices:
        device.take(0, node.now_s)
    return Outcome(
        requests=node.served,
        cold=len(waits_s),
        loads=sum(model.loads for model in node.models.values()),
        wakes=sum(model.wakes for model in node.models.values()),
        mean_wait_s=sum(waits_s) / node.served,
        p99_wait_s=waits_s[p99] if p99 >= 0 else 0.0,
        max_wait_s=waits_s[-1] if waits_s else 0.0,
        longest_request_s=longest_request_s,
        device_hours=sum(d.held_byte_s / d.total_bytes for d in node.devices) / HOUR_S,
        waits=tuple(node.waits),
    )


def someone_waits(node: Node) -> bool:
    """Whether a waiter is there whose load has not begun."""
    return any(model.state is not ModelState.LOADING for model in node.wanted.values())
