"""How long a request may wait for its model before it gets some answer."""

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.swapping.clients import Asked
from modelium.common.settings_gateway import Gateway
from tests.system import System

SLACK_S: Final = 5.0
"""For a busy machine: to send, to be answered, and until the gateway has looked at its clock."""
Bounds = Mapping[str, float]
"""Model to seconds."""


def published_bounds_s(system: System) -> dict[str, float]:
    """What the orchestrator says of each model: it refuses whoever has waited longer."""
    listed = {entry["id"]: entry["modelium"] for entry in system.get("/v1/models")["data"]}
    published = {model: about.get("wait_bound_s") for model, about in listed.items()}
    return {model: bound for model, bound in published.items() if bound is not None}


def bound_s(asked: Asked, published: Bounds, gateway: Gateway) -> float:
    """Of each try of it: as long as the gateway lets it wait, and no longer than was published."""
    longest_s = gateway.queue_timeout_seconds
    if asked.stream:
        longest_s = gateway.stream_queue_timeout_seconds
    return min(longest_s, published.get(asked.model, longest_s))


def too_late(asked: Sequence[Asked], published: Bounds, gateway: Gateway) -> list[str]:
    """A sentence for each request of which a try took longer than its bound."""
    found = []
    for one in asked:
        limit_s = bound_s(one, published, gateway)
        longest_s = max((attempt.took_s for attempt in one.attempts), default=0.0)
        if longest_s > limit_s + SLACK_S:
            found.append(f"late: {one.model} took {longest_s:.1f} s of {limit_s:.0f} s")
    return found
