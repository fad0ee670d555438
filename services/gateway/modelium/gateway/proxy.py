"""The hot path: a request in, its model's engine found or waited for, the engine's answer out.

Raw ASGI, without NATS and Redis. One instance serves all requests; the state of one is a `Client`
and a `Call`. Two small tasks watch beside each: whether the client is still there, and, for a
stream, that it gets a sign of life until the engine's first byte.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from modelium.common.clock import Clock
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.call import (
    Call,
    ClientGone,
    Receive,
    RequestIds,
    Scope,
    Send,
    read_body,
    until_gone,
)
from modelium.gateway.edge.client import Broken, Client
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.paths import RULES, Rule
from modelium.gateway.engines.relay import relay
from modelium.gateway.engines.routing import Route, RouteTable
from modelium.gateway.engines.upstream import EngineGone, Upstream
from modelium.gateway.reporting.announcing import Announcer
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.holding import Holding

Prepare = Callable[[Scope, bytes], Call]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a request."""

    max_body_bytes: int
    queue_timeout_s: float
    stream_queue_timeout_s: float
    comment_every_s: float

    def wait_s(self, call: Call) -> float:
        """How long the call may wait for its model."""
        return self.stream_queue_timeout_s if call.stream else self.queue_timeout_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """Serves the routes of `paths.RULES`."""

    table: RouteTable
    holding: Holding
    upstream: Upstream
    stats: Stats
    announcer: Announcer
    request_ids: RequestIds
    clock: Clock
    limits: Limits

    def client(self, scope: Scope, send: Send) -> Client:
        """The client's side of one request."""
        return Client(send, self.request_ids.of(scope), self.clock)

    async def serve(self, scope: Scope, receive: Receive, send: Send, prepare: Prepare) -> None:
        """Answer one POST; `prepare` makes the engine's call of it."""
        client = self.client(scope, send)
        try:
            body = await read_body(scope, receive, self.limits.max_body_bytes)
            call = prepare(scope, body)
            self._admit(call)
        except ApiError as error:
            await client.fail(error)
            return
        except ClientGone:
            return
        await self._watched(call, client, receive)

    def _admit(self, call: Call) -> None:
        """Raise an ApiError for a model that is not there, or that does something else."""
        self.holding.refuse_hopeless(call.model)
        record = self.table.record(call.model)
        rule = _rule(call)
        if record is not None and record.descriptor and not rule.allows(record.descriptor):
            task = record.descriptor.task
            raise errors.unsupported_path(call.model, task, call.path.partition("?")[0])

    async def _watched(self, call: Call, client: Client, receive: Receive) -> None:
        """Answer until done, or until the client is gone, which stops everything at once."""
        try:
            async with asyncio.TaskGroup() as group:
                watches = [group.create_task(until_gone(receive))]
                if call.stream:
                    watches.append(group.create_task(self._pulse(client)))
                await self._answer(call, client)
                for watch in watches:
                    watch.cancel()
        except* (ClientGone, Broken):
            # Returning with an unfinished answer makes the server cut the connection.
            pass

    async def _pulse(self, client: Client) -> None:
        while True:
            await self.clock.sleep(self.limits.comment_every_s)
            await client.comment()

    async def _answer(self, call: Call, client: Client) -> None:
        started_s = self.clock.monotonic()
        ok = False
        try:
            await self._attempts(call, client, started_s + self.limits.wait_s(call))
            ok = client.status < 500
        except ApiError as error:
            await client.fail(error)
        except asyncio.CancelledError:
            with suppress(Broken):
                await client.fail(errors.unavailable("The gateway is stopping."))
            raise
        finally:
            now_s = self.clock.monotonic()
            self.stats.ended(call.model, ok=ok, took_s=now_s - started_s, now_s=now_s)
            if ok and client.first_byte_s is not None:
                self.stats.of(call.model).first_byte.add(client.first_byte_s - started_s)

    async def _attempts(self, call: Call, client: Client, deadline_s: float) -> None:
        """Send the call until an engine answers: again if it was not reached, else once again."""
        again = True
        while True:
            route = await self._routed(call, client, deadline_s)
            try:
                await self._attempt(call, client, route)
            except EngineGone as gone:
                self.table.suspect(call.model, route.generation, self.clock.monotonic())
                if gone.reached and not again:
                    raise errors.backend_error(f"The engine failed twice: {gone.reason}.") from gone
                again = again and not gone.reached
            else:
                return

    async def _routed(self, call: Call, client: Client, deadline_s: float) -> Route:
        outcome = self.table.route(call.model, self.clock.monotonic())
        if isinstance(outcome, Route):
            return outcome
        waiter = self.holding.join(call.model)
        client.progress = lambda: self.holding.progress(waiter)
        try:
            if call.stream:
                self.holding.refuse_hopeless(call.model)
                await client.start_stream()
                await client.comment()
            return await self.holding.routed(waiter, deadline_s)
        finally:
            client.progress = None
            self.holding.leave(waiter)

    async def _attempt(self, call: Call, client: Client, route: Route) -> None:
        self.stats.enter(call.model, route.generation)
        try:
            reply = await self.upstream.send(route.endpoint, call, client.request_id)
            try:
                await relay(reply, client, ends_with_done=_rule(call).ends_with_done)
            finally:
                reply.close()
        finally:
            if self.stats.leave(call.model, route.generation):
                self.announcer.engine_idle(call.model, route.generation)


def _rule(call: Call) -> Rule:
    return RULES[call.path.partition("?")[0]]
