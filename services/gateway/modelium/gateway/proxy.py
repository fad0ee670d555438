"""The hot path: a request in, its model's engine found or waited for, the engine's answer out.

Raw ASGI, without NATS and Redis, and without a task of its own: the client's end cancels the task
that answers it (`gone.py`), and `pulse.py` gives signs of life to streams that wait. One instance
serves all requests; the state of one is an `_Exchange`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from modelium.common.api_keys import Scope as KeyScope
from modelium.common.clock import Clock
from modelium.gateway.access.assembly import Access
from modelium.gateway.access.principal import Principal
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.accepted import Accepted
from modelium.gateway.edge.body import Body, ClientGone, HeldBytes
from modelium.gateway.edge.call import (
    Call,
    Receive,
    RequestIds,
    Scope,
    Send,
)
from modelium.gateway.edge.client import Broken, Client
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.gone import EndedWhenGone
from modelium.gateway.edge.paths import Dialect, Rule, dialect_of, routes_of
from modelium.gateway.edge.preferences import applied
from modelium.gateway.edge.pulse import Pulse
from modelium.gateway.engines.dispatch import Dispatch
from modelium.gateway.engines.instance import Lease
from modelium.gateway.engines.relay import Passage, relay
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.engines.tokens import asking_for_usage
from modelium.gateway.engines.upstream import EngineGone, Upstream
from modelium.gateway.reporting.stats import Outcome, Stats
from modelium.gateway.waiting.holding import Holding

Prepare = Callable[[Scope, bytes, Any], Call]
"""Makes the engine's call of a request, its body and its rule."""
_NOTHING: Final = Passage()
"""What passed before an engine was asked."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a request."""

    max_body_bytes: int
    held: HeldBytes
    """Of all bodies."""
    queue_timeout_s: float
    stream_queue_timeout_s: float

    def wait_s(self, call: Call) -> float:
        """How long the call may wait for its model."""
        preferred = call.preferences
        wait_s = self.stream_queue_timeout_s if call.stream else self.queue_timeout_s
        if preferred.wait_s is not None:
            wait_s = min(preferred.wait_s, self.stream_queue_timeout_s)
        return wait_s if preferred.deadline_s is None else min(wait_s, preferred.deadline_s)


@dataclass(slots=True)
class _Exchange:
    """One request that is being answered."""

    call: Call
    client: Client
    principal: Principal
    watch: EndedWhenGone
    started_s: float
    passage: Passage = _NOTHING
    device_s: float = 0.0
    load_s: float = 0.0

    def next_passage(self) -> Passage:
        """How the answer of the next engine is passed on."""
        rule = self.call.rule
        hidden = self.call.hide_usage
        self.passage = Passage(ends_with=rule.ends_with, hide_usage=hidden)
        return self.passage


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """Serves the routes of `paths.RULES`."""

    table: RouteTable
    dispatch: Dispatch
    holding: Holding
    upstream: Upstream
    access: Access
    stats: Stats
    pulse: Pulse
    request_ids: RequestIds
    clock: Clock
    limits: Limits

    def client(self, scope: Scope, send: Send, rule: Rule | None) -> Client:
        """The client's side of one request."""
        dialect = rule.dialect if rule else dialect_of(scope["path"], scope["headers"])
        return Client(send, self.request_ids.of(scope), self.clock, dialect)

    async def serve(
        self,
        scope: Scope,
        receive: Receive,
        client: Client,
        prepare: Prepare,
        rule: Rule | None,
    ) -> None:
        """Answer one POST; `prepare` makes the engine's call of it.

        Raises:
            ApiError: what to tell the client instead.
        """
        with suppress(ClientGone, Broken), EndedWhenGone(scope) as watch, self._body() as body:
            started_s = self.clock.monotonic()
            principal = await self.access.principal_of(scope, KeyScope.INFERENCE)
            call = prepare(scope, await body.read(scope, receive), rule)
            self._check(call, principal)
            if self._accepts_at_once(call):
                await self._accept(call, client)
                return
            limiter = self.access.limiter
            admission = limiter.admit(principal) or await limiter.admit_slowly(principal)
            exchange = _Exchange(_asking(call), client, principal, watch, started_s)
            try:
                await self._answer(exchange)
            finally:
                admission.done(self._charge(exchange))

    def _body(self) -> Body:
        return Body(self.limits.max_body_bytes, self.limits.held)

    def _check(self, call: Call, principal: Principal) -> None:
        """Raise an ApiError for a model that is not there, not for all, or for something else."""
        if not self.holding.serves(call.model):
            self.holding.refuse_hopeless(call.model)
        if not principal.may_use(call.model):
            raise errors.insufficient_scope(
                f"The key {principal.key_id} is not for the model {call.model!r}."
            )
        record = self.table.record(call.model)
        about = record.descriptor if record else None
        if about is not None and not call.rule.allows(about):
            routes = routes_of(about)
            raise errors.unsupported_path(call.model, about.task, call.rule.path, routes)

    def _charge(self, exchange: _Exchange) -> int:
        """Count what the request has used; its tokens.

        An answer that broke off, or was left by its client, has not told its tokens: then each
        event of its stream counts as one.
        """
        tokens, model = exchange.passage.tokens, exchange.call.model
        completion = exchange.passage.events if tokens.completion is None else tokens.completion
        self.access.usage.add(
            exchange.principal,
            model,
            prompt_tokens=tokens.prompt or 0,
            completion_tokens=completion,
            device_s=exchange.device_s,
            load_s=exchange.load_s,
        )
        keep_alive_s = exchange.call.preferences.keep_alive_s
        if keep_alive_s is not None:
            self.stats.keep_alive(model, keep_alive_s)
        return (tokens.prompt or 0) + completion

    def _accepts_at_once(self, call: Call) -> bool:
        preferred = call.preferences
        if not preferred.respond_async or self.holding.serves(call.model):
            return False
        # A stream that waits has begun, and can no longer be answered 202.
        return call.stream or not preferred.wait_s

    async def _accept(self, call: Call, client: Client) -> None:
        """Have the model loaded, and say where to look, instead of waiting for it."""
        loading = self.holding.want(call.model)
        accepted = Accepted(call.model, loading, call.preferences)
        await client.json(accepted.status, accepted.headers(), accepted.encoded())

    async def _answer(self, exchange: _Exchange) -> None:
        client, model = exchange.client, exchange.call.model
        outcome = Outcome.FAILED
        if exchange.call.stream:
            self.pulse.begin(client)
        try:
            deadline_s = exchange.started_s + self.limits.wait_s(exchange.call)
            await self._attempts(exchange, deadline_s)
            outcome = Outcome.OK if client.status < 500 else Outcome.FAILED
        except ApiError as error:
            await self._refuse(exchange, error)
        except asyncio.CancelledError:
            if exchange.watch.gone:
                outcome = Outcome.LEFT
            else:
                await self._refuse(exchange, errors.unavailable("The gateway is stopping."))
            raise
        finally:
            self.pulse.end(client)
            self.stats.ended(model, outcome, exchange.started_s, client.first_byte_s)

    async def _refuse(self, exchange: _Exchange, error: ApiError) -> None:
        call, client = exchange.call, exchange.client
        if error.loading and call.preferences.respond_async and not client.started:
            await self._accept(call, client)
            return
        if error.loading:
            error.more_headers += tuple(applied(call.preferences, answered_async=False))
        await client.fail(error)

    async def _attempts(self, exchange: _Exchange, deadline_s: float) -> None:
        """Send the call until an engine answers: again if it was not reached, else once again."""
        again = True
        while True:
            lease = self.dispatch.enter(exchange.call, exchange.principal.organization)
            if lease is None:
                lease = await self._held(exchange, deadline_s)
            try:
                await self._attempt(exchange, lease)
            except EngineGone as gone:
                lease.failed(gone.reached)
                if gone.reached and not again:
                    raise errors.backend_error(f"The engine failed twice: {gone.reason}.") from gone
                again = again and not gone.reached
            else:
                return
            finally:
                lease.leave()
                exchange.device_s += lease.device_s()

    async def _held(self, exchange: _Exchange, deadline_s: float) -> Lease:
        """Wait until the request may go to an engine."""
        call, client = exchange.call, exchange.client
        waiter = self.holding.join(call, exchange.principal.organization)
        client.progress = lambda: self.holding.progress(waiter)
        try:
            if call.stream:
                self.holding.refuse_hopeless(call.model)
                waiter.committed = True
                await client.comment()
            lease = await self.holding.entered(waiter, deadline_s)
            exchange.load_s += waiter.load_s()
            return lease
        finally:
            client.progress = None
            self.holding.leave(waiter)

    async def _attempt(self, exchange: _Exchange, lease: Lease) -> None:
        client = exchange.client
        reply = await self.upstream.send(lease.endpoint, exchange.call, client.request_id)
        try:
            if reply.status < 500:
                # Now and not at the end: until a probe has succeeded, others wait for it.
                lease.succeeded()
            await relay(reply, client, exchange.next_passage())
        finally:
            reply.close()


def _asking(call: Call) -> Call:
    """The call that also asks for the usage of a stream, where the client has not."""
    asks = call.stream and call.rule.dialect is Dialect.OPENAI and not call.include_usage
    if not asks or (body := asking_for_usage(call.body)) is None:
        return call
    return call._replace(body=body, hide_usage=True)
