"""Traces of requests; `tracing_otel.py` makes them, and is not even imported unless somebody asks.

Somebody asks by the standard variables of OpenTelemetry: `OTEL_EXPORTER_OTLP_ENDPOINT` (or
`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) says where spans go. Where a trace is in this process is
`envelope.TRACEPARENT`, which every message that is published meanwhile carries.

A trace begins with a request at a gateway, and nowhere else: within none, `span` makes nothing, so
heartbeats and ticks leave no traces. A service without tracing passes traces on.
"""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from modelium.common.envelope import within_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP: Final = "http/protobuf"

Attributes = Mapping[str, str | int | float | bool | tuple[str, ...]]
NONE: Final[Attributes] = {}

log = structlog.get_logger()


class Kind(StrEnum):
    """Of a span, as OpenTelemetry has them."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """What is being done; ends with the block that it is made for."""

    def set(self, attributes: Attributes) -> None:
        """Add to what is known of it; never what somebody asked or was answered."""

    def rename(self, name: str) -> None:
        """Call it something else."""

    def mark(self, name: str, *, ago_s: float = 0.0) -> None:
        """Note a moment of it."""

    def fail(self, error_type: str) -> None:
        """It did not do what it was to do."""

    def headers(self) -> Mapping[str, str]:
        """With which another server goes on with the trace."""


class Tracing(Protocol):
    """Makes spans."""

    on: bool

    def span(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes = NONE,
        *,
        parent: str | None = None,
    ) -> AbstractContextManager[Span]:
        """Part of the trace of `parent` (a traceparent), or else of the current one."""

    def request(
        self, name: str, attributes: Attributes, headers: Mapping[str, str]
    ) -> AbstractContextManager[Span]:
        """A request that came with these headers; begins a trace where they name none."""

    async def close(self) -> None:
        """Send what was not sent yet, for a few seconds at most."""


class NoSpan:
    """Is not there."""

    def set(self, attributes: Attributes) -> None:
        """See `Span`."""

    def rename(self, name: str) -> None:
        """See `Span`."""

    def mark(self, name: str, *, ago_s: float = 0.0) -> None:
        """See `Span`."""

    def fail(self, error_type: str) -> None:
        """See `Span`."""

    def headers(self) -> Mapping[str, str]:
        """See `Span`."""
        return {}


NO_SPAN: Final = NoSpan()


class NoTracing:
    """Makes none, and passes on what others have begun."""

    on = False

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes = NONE,
        *,
        parent: str | None = None,
    ) -> "Iterator[Span]":
        """See `Tracing`."""
        if parent is None:
            yield NO_SPAN
        else:
            with within_trace(parent):
                yield NO_SPAN

    @contextmanager
    def request(
        self, name: str, attributes: Attributes, headers: Mapping[str, str]
    ) -> "Iterator[Span]":
        """See `Tracing`."""
        yield NO_SPAN

    async def close(self) -> None:
        """See `Tracing`."""


NO_TRACING: Final = NoTracing()


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether these variables ask for traces."""
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or environment.get("OTEL_TRACES_EXPORTER", "otlp") == "none"
    )
    return not off and any(environment.get(name) for name in ENDPOINTS)


def obstacle(environment: Mapping[str, str]) -> str:
    """Why traces that are wanted cannot be made; empty: they can."""
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), HTTP)
    if protocol != HTTP:
        return f"the protocol {protocol} is not spoken here; set {PROTOCOLS[1]}={HTTP}"
    if find_spec("opentelemetry.sdk") is None:
        return "OpenTelemetry is not installed; install modelium[otel]"
    return ""


def begin(service: str, instance: str) -> Tracing:
    """Tracing as the environment wants it.

    What stands in its way is a warning: such variables are often set for a whole machine.
    """
    if not wanted(os.environ):
        return NO_TRACING
    if reason := obstacle(os.environ):
        log.warning("tracing.off", reason=reason)
        return NO_TRACING
    from modelium.common.tracing_otel import OtelTracing

    return OtelTracing(service, instance)
