"""The raw ASGI application: sends each request to the hot path, the health page or FastAPI.

Counts what is inside, and refuses new work while the gateway starts or stops.
"""

from typing import Final

from modelium.common.clock import Clock
from modelium.common.health import HEALTH_PATHS, AsgiApp
from modelium.common.settings_base import MIB
from modelium.gateway.access.scopes import needed_scope
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.body import bounded
from modelium.gateway.edge.call import Event, Receive, Scope, Send, json_headers
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.leaving import told_while_there
from modelium.gateway.edge.paths import Rule, find_rule
from modelium.gateway.edge.predict import PREFIX
from modelium.gateway.gate import Gate
from modelium.gateway.proxy import Proxy

_POLL_S: Final = 0.05
_MAX_COLD_BYTES: Final = MIB
"""Of a body that FastAPI reads: an operator's command, not a prompt."""


class GatewayApp:
    """See the module."""

    def __init__(
        self, *, proxy: Proxy, gate: Gate, health: AsgiApp, cold: AsgiApp, clock: Clock
    ) -> None:
        self._proxy = proxy
        self._gate = gate
        self._health = health
        self._cold = cold
        self._clock = clock
        self._access = proxy.access
        self._max_cold_bytes = min(_MAX_COLD_BYTES, proxy.limits.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope["path"]
        if (cors := self._access.cors) is not None:
            if await cors.answered(scope, send):
                return
            send = cors.telling(scope["headers"], send)
        if self._access.origins is not None:
            try:
                self._access.origins.check(scope["headers"])
            except ApiError as error:
                self._proxy.stats.refused(error.code)
                await self._proxy.client(scope, send, find_rule(path)).fail(error)
                return
        if path in HEALTH_PATHS:
            await self._health(scope, receive, send)
        elif rule := find_rule(path):
            await self._hot(scope, receive, send, rule)
        elif path.startswith(PREFIX):
            await self._hot(scope, receive, send, None)
        else:
            await self._serve_cold(scope, receive, send)

    async def _serve_cold(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            needed = needed_scope(scope["path"])
            if needed is not None:
                principal = await self._access.principal_of(scope, needed)
                scope.setdefault("state", {})["principal"] = principal
            if scope["method"] in ("POST", "PUT"):
                scope = {**scope, "headers": json_headers(scope["headers"])}
        except ApiError as error:
            self._proxy.stats.refused(error.code)
            await self._proxy.client(scope, send, None).fail(error)
        else:
            # What is uploaded is written as it comes, and bounded there.
            streams = scope["method"] == "PATCH"
            body = receive if streams else bounded(receive, self._max_cold_bytes)
            await told_while_there(self._cold, scope, body, self._named(scope, send))

    def _named(self, scope: Scope, send: Send) -> Send:
        """`send` that adds the request's id to the answer."""
        name = (b"x-request-id", self._proxy.request_ids.of(scope).encode())

        async def named(event: Event) -> None:
            if event["type"] == "http.response.start":
                event["headers"] = [*event["headers"], name]
            await send(event)

        return named

    async def _hot(self, scope: Scope, receive: Receive, send: Send, rule: Rule | None) -> None:
        """Serve a request of this rule; None: one to be predicted from."""
        stats = self._proxy.stats
        stats.active += 1
        client = self._proxy.client(scope, send, rule)
        try:
            self._refuse(scope)
            await self._proxy.serve(scope, receive, client, rule)
        except ApiError as error:
            stats.refused(error.code)
            await client.fail(error)
        finally:
            stats.active -= 1

    def _refuse(self, scope: Scope) -> None:
        self._gate.refuse_if_closed()
        if scope["method"] != "POST":
            raise errors.method_not_allowed(scope["method"], scope["path"], allow="POST")

    async def drain(self, grace_s: float) -> None:
        """Let nothing new in, and wait until what is inside has ended, for `grace_s` seconds."""
        self._gate.stop()
        deadline_s = self._clock.monotonic() + grace_s
        self._proxy.holding.stop(deadline_s)
        while self._proxy.stats.active and self._clock.monotonic() < deadline_s:
            await self._clock.sleep(_POLL_S)
