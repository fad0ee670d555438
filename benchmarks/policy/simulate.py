"""Runs a trace through a node and a policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.policy.node import Node, State
from benchmarks.policy.traces import Request


class Driver(Protocol):
    """Acts on a node: whenever something changed, and every `tick_s` while it says that it must."""

    tick_s: float

    def act(self, node: Node) -> None:
        """Load and stop engines."""

    def is_due(self, node: Node) -> bool:
        """Whether time alone may change its answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run cost."""

    requests: int
    cold: int
    loads: int
    mean_wait_s: float
    p99_wait_s: float
    max_wait_s: float
    longest_request_s: float
    bound_s: float | None = None
    """What nobody may wait longer than; None: nothing is promised."""


def run(node: Node, requests: Sequence[Request], driver: Driver) -> Outcome:
    """Until every request has been served."""
    for request in requests:
        node.models[request.model].arrivals.append(request.at_s)
    ticked_s = 0.0
    for request in requests:
        ticked_s = _until(node, request.at_s, driver, ticked_s)
        node.arrive(request)
        if node.changed:
            _act(node, driver)
    while node.next_s < float("inf") or node.wanted:
        ticked_s = _until(node, max(node.next_s, node.now_s) + 1, driver, ticked_s)
    return outcome(node, max(request.lasts_s for request in requests))


def _until(node: Node, at_s: float, driver: Driver, ticked_s: float) -> float:
    """Everything before `at_s`; returns when the driver ticked last."""
    while True:
        tick_s = ticked_s + driver.tick_s if driver.is_due(node) else float("inf")
        tick_s = max(tick_s, node.now_s)
        if min(node.next_s, tick_s) >= at_s:
            return ticked_s
        if tick_s < node.next_s:
            node.now_s = ticked_s = tick_s
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
    waits = sorted(node.waits_s)
    count = len(waits)
    return Outcome(
        requests=count,
        cold=sum(1 for wait in waits if wait > 0),
        loads=sum(model.loads for model in node.models.values()),
        mean_wait_s=sum(waits) / count,
        p99_wait_s=waits[min(count - 1, int(0.99 * count))],
        max_wait_s=waits[-1],
        longest_request_s=longest_request_s,
    )


def someone_waits(node: Node) -> bool:
    """Whether a waiter is there whose load has not begun."""
    return any(model.state is not State.LOADING for model in node.wanted.values())
