"""One instance as this gateway uses it, and the lease of one request at it.

A lease keeps its instance from being stopped, counts towards its load, and measures what the
request used of it. The instance's busy time is shared out among the requests that are there at the
time: a virtual clock runs at one n-th of the real speed while n are in flight, and a request used
what that clock ran from its beginning to its end. Together they used just the busy time.
"""

from dataclasses import dataclass, field
from typing import Protocol

from modelium.common.clock import Clock
from modelium.common.records import InstanceEndpoint
from modelium.gateway.engines.breaker import Breaker


@dataclass(slots=True, eq=False)
class Instance:
    """What is known of it; times are monotonic seconds."""

    model: str
    endpoint: InstanceEndpoint
    url: str
    generation: int
    breaker: Breaker = field(default_factory=Breaker)
    in_flight: int = 0
    fingerprint: bytes | None = None
    """What it calls itself in its answers; None: no stream has told it yet."""
    _share_s: float = 0.0
    _at_s: float = 0.0

    def share_s(self, now_s: float) -> float:
        """How far the virtual clock has run."""
        if self.in_flight:
            self._share_s += (now_s - self._at_s) / self.in_flight
        self._at_s = now_s
        return self._share_s


class Returns(Protocol):
    """Who gave a lease."""

    clock: Clock

    def given_back(self, lease: "Lease") -> None:
        """The lease has ended; called once."""

    def recovered(self, model: str) -> None:
        """An instance that was avoided has answered."""


class Lease:
    """A request's right to be at an instance. `leave` must follow, whatever happens."""

    __slots__ = (
        "_era",
        "_from",
        "_left",
        "_share_s",
        "endpoint",
        "entered_s",
        "generation",
        "instance",
        "model",
        "organization",
    )

    def __init__(self, instance: Instance, organization: str, now_s: float, by: Returns) -> None:
        self._from = by
        self.instance = instance
        self._share_s = instance.share_s(now_s)
        self._left = False
        self._era = instance.breaker.sent(now_s)
        instance.in_flight += 1
        self.endpoint = instance.url
        self.generation = instance.generation
        self.model = instance.model
        self.organization = organization
        self.entered_s = now_s

    def leave(self) -> None:
        """Give the place up; harmless when done twice."""
        if self._left:
            return
        instance = self.instance
        self._share_s = instance.share_s(self._from.clock.monotonic()) - self._share_s
        self._left = True
        instance.in_flight -= 1
        instance.breaker.abandoned(self._era)
        self._from.given_back(self)

    def succeeded(self) -> None:
        """The engine answers; say so as soon as it does, for others may wait for that."""
        breaker = self.instance.breaker
        if breaker.openings:
            breaker.succeeded(self._era)
            self._from.recovered(self.model)

    def failed(self) -> None:
        """The engine could not be reached, or has gone before it answered.

        Both count the same: whoever refuses connections serves nobody.
        """
        self.instance.breaker.failed(self._era, self._from.clock.monotonic())

    def device_s(self) -> float:
        """Seconds of devices it has used so far, or until it left."""
        used_s = self._share_s
        if not self._left:
            used_s = self.instance.share_s(self._from.clock.monotonic()) - used_s
        return used_s * self.instance.endpoint.device_count
