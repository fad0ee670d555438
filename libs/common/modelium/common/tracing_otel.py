"""Makes spans with OpenTelemetry and sends them over OTLP/HTTP; see `tracing.py`.

Sampler, service name, headers, limits and propagators are what the standard `OTEL_*` variables say.
Spans are sent by a thread of their own; what cannot be sent is dropped.
"""

import asyncio
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from time import time_ns
from typing import Final

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from modelium.common.envelope import TRACEPARENT, TRACEPARENT_HEADER, within_trace
from modelium.common.tracing import NO_SPAN, NONE, Attributes, Kind, Span

CLOSE_S: Final = 3.0
_KINDS: Final = {kind: SpanKind[kind.name] for kind in Kind}
_ERROR: Final = "error.type"
_W3C: Final = TraceContextTextMapPropagator()

_HERE: ContextVar[tuple[str | None, Context]] = ContextVar("here", default=(None, Context()))
"""The innermost span of this process, by its traceparent: with tracestate and baggage."""


class OtelTracing:
    """Implements `tracing.Tracing`."""

    on = True

    def __init__(self, service: str, instance: str) -> None:
        self._provider = TracerProvider(
            resource=Resource.create(_about(service, instance)), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("modelium", version("modelium"))

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes = NONE,
        *,
        parent: str | None = None,
    ) -> Iterator[Span]:
        """See `Tracing`."""
        traceparent = parent or TRACEPARENT.get()
        if traceparent is None:
            yield NO_SPAN
            return
        known, context = _HERE.get()
        if known != traceparent:  # it came with a message
            context = _W3C.extract({TRACEPARENT_HEADER: traceparent})
        with self._begun(name, kind, attributes, context) as span:
            yield span

    @contextmanager
    def request(
        self, name: str, attributes: Attributes, headers: Mapping[str, str]
    ) -> Iterator[Span]:
        """See `Tracing`."""
        with self._begun(name, Kind.SERVER, attributes, propagate.extract(headers)) as span:
            yield span

    @contextmanager
    def _begun(
        self, name: str, kind: Kind, attributes: Attributes, context: Context
    ) -> Iterator[Span]:
        span = self._tracer.start_span(
            name, context, kind=_KINDS[kind], attributes=dict(attributes)
        )
        carrier: dict[str, str] = {}
        inside = set_span_in_context(span, context)
        _W3C.inject(carrier, inside)
        traceparent = carrier.get(TRACEPARENT_HEADER)
        told, before = _Span(span, inside), _HERE.set((traceparent, inside))
        try:
            with within_trace(traceparent):
                yield told
        except asyncio.CancelledError:
            told.set({_ERROR: "cancelled"})
            raise
        except BaseException as error:
            if not told.has_error:
                told.fail(type(error).__name__)
            raise
        finally:
            _HERE.reset(before)
            span.end()

    async def close(self) -> None:
        """See `Tracing`."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        # A thread that the end of the process does not wait for, should the other side hang.
        threading.Thread(target=shut_down, name="tracing-close", daemon=True).start()
        try:
            async with asyncio.timeout(CLOSE_S):
                await done.wait()
        except TimeoutError:
            return


class _Span:
    """Implements `tracing.Span`."""

    def __init__(self, span: OtelSpan, inside: Context) -> None:
        self._span = span
        self._inside = inside
        self.has_error = False
        """Whether somebody has said what went wrong."""

    def set(self, attributes: Attributes) -> None:
        self.has_error = self.has_error or _ERROR in attributes
        self._span.set_attributes(dict(attributes))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def mark(self, name: str, *, ago_s: float = 0.0) -> None:
        self._span.add_event(name, timestamp=time_ns() - int(ago_s * 1e9))

    def fail(self, error_type: str) -> None:
        self._span.set_status(StatusCode.ERROR)
        self.set({_ERROR: error_type})

    def headers(self) -> Mapping[str, str]:
        carrier: dict[str, str] = {}
        propagate.inject(carrier, self._inside)
        return carrier


def _about(service: str, instance: str) -> dict[str, str]:
    """Of this process; the name only where the environment says none."""
    about = {
        "service.namespace": "modelium",
        "service.instance.id": instance,
        "service.version": version("modelium"),
    }
    named = os.environ.get("OTEL_SERVICE_NAME") or (
        "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    )
    return about if named else {**about, "service.name": f"modelium-{service}"}
