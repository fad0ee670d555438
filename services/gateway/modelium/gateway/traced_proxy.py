"""The hot path with a trace of every request; it takes the place of `Proxy` only where there are.

So a gateway without tracing does nothing more for it than it did before. The names of what is told
of models follow OpenTelemetry's conventions for generative AI, which are still moving: all of them
are here. What was asked and answered is never told.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from modelium.common.envelope import TRACEPARENT_HEADER
from modelium.common.tracing import NO_SPAN, Attributes, Kind, Span, Tracing
from modelium.gateway.access.principal import Principal
from modelium.gateway.edge.call import Call, Headers, Receive, Scope
from modelium.gateway.edge.client import Client
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.paths import Rule
from modelium.gateway.engines.instance import Lease
from modelium.gateway.engines.upstream import EngineGone
from modelium.gateway.ongoing import Ongoing
from modelium.gateway.proxy import Proxy

OPERATIONS: Final = {
    "/v1/chat/completions": "chat",
    "/v1/messages": "chat",
    "/v1/responses": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
_CONTEXT: Final = frozenset({TRACEPARENT_HEADER.encode(), b"tracestate", b"baggage"})

_SERVED: ContextVar[Span] = ContextVar("served", default=NO_SPAN)
"""The span of the request that this task answers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedProxy(Proxy):
    """See the module. (`super()` does not work in a class with slots that a decorator makes.)"""

    tracing: Tracing

    async def serve(
        self, scope: Scope, receive: Receive, client: Client, rule: Rule | None
    ) -> None:
        """See `Proxy.serve`; goes on with the client's trace, if it has one."""
        about = {
            "http.request.method": scope["method"],
            "url.path": scope["path"],
            "modelium.request_id": client.request_id,
        }
        headers = {k.decode(): v.decode("latin-1") for k, v in scope["headers"] if k in _CONTEXT}
        with self.tracing.request(f"POST {scope['path']}", about, headers) as span:
            served = _SERVED.set(span)
            try:
                await Proxy.serve(self, scope, receive, client, rule)
                span.set({"http.response.status_code": client.status})
            except ApiError as error:
                _tell_refusal(span, error)
                raise
            finally:
                _SERVED.reset(served)

    def _call(self, scope: Scope, body: bytes, rule: Rule | None, principal: Principal) -> Call:
        call = Proxy._call(self, scope, body, rule, principal)
        span = _SERVED.get()
        span.rename(f"{_operation(call)} {call.model}")
        span.set(self._about(call))
        return call

    async def _refuse(self, request: Ongoing, error: ApiError) -> None:
        _tell_refusal(_SERVED.get(), error)
        await Proxy._refuse(self, request, error)

    async def _held(self, request: Ongoing, deadline_s: float, *, again: bool) -> Lease:
        with self.tracing.span(f"wait {request.call.model}"):
            return await Proxy._held(self, request, deadline_s, again=again)

    async def _attempt(self, request: Ongoing, lease: Lease) -> None:
        call, at = request.call, urlsplit(lease.endpoint)
        about = {
            **self._about(call),
            "server.address": at.hostname or "",
            "server.port": at.port or 80,
            "modelium.generation": lease.generation,
        }
        name = f"{_operation(call)} {call.model}"
        with self.tracing.span(name, Kind.CLIENT, about) as span, self._told(span, request):
            request.call = call._replace(headers=_within(span, call.headers))
            try:
                await Proxy._attempt(self, request, lease)
            except EngineGone:
                span.fail("engine_gone")
                raise

    @contextmanager
    def _told(self, span: Span, request: Ongoing) -> Iterator[None]:
        """Tell at its end what it took, and when its first byte came."""
        try:
            yield
        finally:
            used, first_byte_s = request.passage.tokens, request.client.first_byte_s
            tokens = {"input": used.prompt, "output": used.completion}
            span.set(
                {f"gen_ai.usage.{side}_tokens": n for side, n in tokens.items() if n is not None}
            )
            if first_byte_s is not None:
                span.mark("first_token", ago_s=self.clock.monotonic() - first_byte_s)

    def _about(self, call: Call) -> Attributes:
        record = self.table.record(call.model)
        about = record.descriptor if record else None
        return {
            "gen_ai.operation.name": _operation(call),
            "gen_ai.request.model": call.model,
            "gen_ai.request.stream": call.stream,
            **({"gen_ai.provider.name": str(about.runtime)} if about else {}),
        }


def _operation(call: Call) -> str:
    path = call.rule.path
    return OPERATIONS.get(path) or path.rstrip("/").rpartition("/")[2] or "predict"


def _tell_refusal(span: Span, error: ApiError) -> None:
    span.set({"http.response.status_code": error.status, "error.type": error.code})
    if error.status >= 500:
        span.fail(error.code)


def _within(span: Span, headers: Headers) -> Headers:
    """The headers for the engine: it goes on with this span, and not with the client's."""
    own = [(name.encode(), value.encode()) for name, value in span.headers().items()]
    return [*(header for header in headers if header[0] not in _CONTEXT), *own] if own else headers
