"""The hot path: a request in, its model's engine found or waited for, the engine's answer out.

Raw ASGI, without NATS and Redis, and without a task of its own: the client's end cancels the task
that answers it (`gone.py`), and `pulse.py` gives signs of life to streams that wait. One instance
serves all requests; the state of one is an `Ongoing`.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from modelium.common.api_keys import Scope as KeyScope
from modelium.common.clock import Clock
from modelium.common.records import ModelRecord, ModelState
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
    named,
    parse_call,
)
from modelium.gateway.edge.client import Broken, Client
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.gone import EndedWhenGone
from modelium.gateway.edge.paths import Rule, dialect_of, routes_of
from modelium.gateway.edge.predict import predict_call, predicted_model
from modelium.gateway.edge.preferences import applied
from modelium.gateway.edge.pulse import Pulse
from modelium.gateway.engines.dispatch import Dispatch
from modelium.gateway.engines.instance import Lease
from modelium.gateway.engines.relay import relay
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.engines.upstream import EngineGone, Upstream
from modelium.gateway.ongoing import Ongoing, asking
from modelium.gateway.reporting.requests import Requests
from modelium.gateway.reporting.stats import Ending, Stats
from modelium.gateway.reporting.waits import WaitLog
from modelium.gateway.waiting.holding import Holding

_NOT_ANALYSED: Final = (ModelState.DISCOVERED, ModelState.ANALYZING)
_LONG_WAIT_S: Final = 300
"""Longer than most loads take."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a request."""

    max_body_bytes: int
    held: HeldBytes
    """Of all bodies."""
    queue_timeout_s: float
    stream_queue_timeout_s: float

    def body_of(self, organization: str) -> Body:
        """A body that one of this organisation is about to send."""
        return Body(self.max_body_bytes, self.held, organization)

    def wait_s(self, call: Call) -> float:
        """How long the call may wait for its model."""
        preferred = call.preferences
        wait_s = self.stream_queue_timeout_s if call.stream else self.queue_timeout_s
        if preferred.wait_s is not None:
            wait_s = min(preferred.wait_s, self.stream_queue_timeout_s)
        return wait_s if preferred.deadline_s is None else min(wait_s, preferred.deadline_s)

    def longer_wait_s(self, call: Call) -> int | None:
        """What the call may ask for to wait longer than it has; None: nothing, or it has asked."""
        preferred = call.preferences
        if preferred.wait_s is not None:
            return None
        most_s = self.stream_queue_timeout_s
        if preferred.deadline_s is not None:
            most_s = min(most_s, preferred.deadline_s)
        longer_s = int(min(_LONG_WAIT_S, most_s))
        return longer_s if longer_s > self.wait_s(call) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """Serves the routes of `paths.RULES`."""

    table: RouteTable
    dispatch: Dispatch
    holding: Holding
    upstream: Upstream
    access: Access
    stats: Stats
    waits: WaitLog
    requests: Requests
    pulse: Pulse
    request_ids: RequestIds
    clock: Clock
    limits: Limits

    def client(self, scope: Scope, send: Send, rule: Rule | None) -> Client:
        """The client's side of one request."""
        dialect = rule.dialect if rule else dialect_of(scope["path"], scope["headers"])
        return Client(send, self.request_ids.of(scope), self.clock, dialect)

    async def serve(
        self, scope: Scope, receive: Receive, client: Client, rule: Rule | None
    ) -> None:
        """Answer one POST of this rule; None: one to be predicted from.

        Raises:
            ApiError: what to tell the client instead.
        """
        started_s = self.clock.monotonic()
        with suppress(ClientGone, Broken), EndedWhenGone(scope) as watch:
            principal = await self.access.principal_of(scope, KeyScope.INFERENCE)
            with self.limits.body_of(principal.organization) as body:
                call = self._call(scope, await body.read(scope, receive), rule, principal)
                request = Ongoing(call, client, principal, watch, started_s)
                await self._admitted(request)

    def _call(self, scope: Scope, body: bytes, rule: Rule | None, principal: Principal) -> Call:
        """The engine's call; an ApiError for a model not there, or for something else.

        One that is not for this key is not there either, as on the pages: its state is not told.
        """
        if rule is None:
            record = self._record(predicted_model(scope), principal)
            if record.state in _NOT_ANALYSED:
                raise errors.model_not_analyzed(record.model, record.state)
            call = predict_call(scope, body, record.descriptor)
        else:
            call = parse_call(scope, body, rule)
            record = self._record(call.model, principal)
        about = record.descriptor
        if about is not None and not call.rule.allows(about):
            routes = routes_of(about)
            raise errors.unsupported_path(call.model, about.task, call.rule.path, routes)
        return asking(call if call.model == record.model else named(call, record.model))

    def _record(self, model: str, principal: Principal) -> ModelRecord:
        record = self.table.record(model)
        if record is None or not principal.may_use(record.model):
            raise errors.model_not_found(model, self.table.meant(model, principal.may_use))
        if record.state is ModelState.REJECTED:
            # Before the request is read as one for this model: what it takes is not known.
            raise errors.model_rejected(record.model, record.reason)
        return record

    async def _admitted(self, request: Ongoing) -> None:
        """Answer within the limits of who asks, and count what it took."""
        limiter, principal = self.access.limiter, request.principal
        admission = limiter.admit(principal) or await limiter.admit_slowly(principal)
        try:
            if not self.holding.serves(request.call.model):
                self.holding.refuse_hopeless(request.call.model)
        except ApiError:
            admission.done()  # a request for the limits, but none that took anything
            raise
        try:
            if self._accepts_at_once(request.call):
                await self._accept(request.call, request.client)
            else:
                await self._answer(request)
        finally:
            admission.done(self._charge(request))

    def _charge(self, request: Ongoing) -> int:
        """Count what the request has used; its tokens."""
        model = request.call.model
        record = self.table.record(model)
        about = record.descriptor if record else None
        prompt, completion = request.tokens(about.wanted_context_length if about else 0)
        self.stats.tokens(model, prompt, completion)
        self.access.usage.add(
            request.principal,
            model,
            prompt_tokens=prompt,
            completion_tokens=completion,
            device_s=request.device_s,
            load_s=request.load_s,
        )
        if request.served:
            keep_alive_s = request.call.preferences.keep_alive_s
            self.stats.used(model, request.principal.organization, keep_alive_s)
        if record is None:
            # It went while this request ran, which has just been counted for it.
            self.stats.forget(model)
        return prompt + completion

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

    async def _answer(self, request: Ongoing) -> None:
        client, model = request.client, request.call.model
        ending = Ending.FAILED
        if request.call.stream:
            self.pulse.begin(client)
        self.requests.add(request)
        try:
            deadline_s = request.started_s + self.limits.wait_s(request.call)
            await self._attempts(request, deadline_s)
            ending = Ending.OK if client.status < 500 else Ending.FAILED
        except ApiError as error:
            await self._refuse(request, error)
        except asyncio.CancelledError:
            if request.watch.gone or request.watch.ended:
                ending = Ending.LEFT
            if not request.watch.gone:
                ended = request.watch.ended
                await self._refuse(request, errors.cancelled() if ended else errors.stopping())
            raise
        finally:
            self.requests.discard(request)
            self.pulse.end(client)
            self.stats.ended(model, ending, request.started_s, client.first_byte_s)

    async def _refuse(self, request: Ongoing, error: ApiError) -> None:
        call, client = request.call, request.client
        if error.loading and call.preferences.respond_async and not client.started:
            await self._accept(call, client)
            return
        if error.loading:
            longer_wait_s = self.limits.longer_wait_s(call)
            error = errors.model_loading(call.model, error.loading, longer_wait_s=longer_wait_s)
            error.more_headers += tuple(applied(call.preferences, answered_async=False))
        await client.fail(error)

    async def _attempts(self, request: Ongoing, deadline_s: float) -> None:
        """Send the call until an engine answers: again if it was not reached, else once again."""
        again, was_there, organization = True, False, request.principal.organization
        while True:
            lease = self.dispatch.enter(request.call, organization)
            if lease is None:
                with self.waits.waiting(request.client.request_id, request.call.model):
                    lease = await self._held(request, deadline_s, again=was_there)
            was_there = True
            try:
                await self._attempt(request, lease)
            except EngineGone as gone:
                lease.failed()
                if gone.reached and not again:
                    raise errors.backend_error(f"The engine failed twice: {gone.reason}.") from gone
                again = again and not gone.reached
            else:
                return
            finally:
                lease.leave()
                request.device_s += lease.device_s()

    async def _held(self, request: Ongoing, deadline_s: float, *, again: bool) -> Lease:
        """Wait until the request may go to an engine."""
        call, client = request.call, request.client
        waiter = self.holding.join(call, request.principal.organization, again=again)
        client.progress = lambda: self.holding.progress(waiter)
        request.waiter = waiter
        try:
            if call.stream:
                self.holding.refuse_hopeless(call.model)
                waiter.committed = True
                await client.comment()
            lease = await self.holding.entered(waiter, deadline_s)
            request.load_s += waiter.load_s()
            return lease
        finally:
            client.progress = request.waiter = None
            request.waited_s += self.clock.monotonic() - waiter.since_s
            self.holding.leave(waiter)

    async def _attempt(self, request: Ongoing, lease: Lease) -> None:
        client = request.client
        reply = await self.upstream.send(lease.endpoint, request.call, client.request_id)
        try:
            if reply.status < 500:
                # Now and not at the end: until a probe has succeeded, others wait for it.
                lease.succeeded()
            request.served = reply.status < 400
            passage = request.next_passage(lease)
            await relay(reply, client, passage)
            if passage.fingerprint is not None:
                lease.instance.fingerprint = passage.fingerprint
        finally:
            reply.close()
