"""Puts the parts of a gateway together; tests give it fakes where `__main__` gives the shell."""

from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Protocol

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.health import Checks, health_app
from modelium.common.settings import Gateway as GatewaySettings
from modelium.common.store import Store
from modelium.common.tracing import NO_TRACING, Tracing
from modelium.gateway.access.assembly import Access
from modelium.gateway.access.http import give_access
from modelium.gateway.app import GatewayApp
from modelium.gateway.edge.body import HeldBytes
from modelium.gateway.edge.call import RequestIds
from modelium.gateway.edge.pulse import COMMENT_EVERY_S, Pulse
from modelium.gateway.engines.dispatch import Dispatch
from modelium.gateway.engines.model_updates import ModelUpdates
from modelium.gateway.engines.peers import Peers
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.engines.upstream import Upstream
from modelium.gateway.gate import Gate
from modelium.gateway.live.parts import Live, live_parts
from modelium.gateway.pages.api import ColdParts, cold_app
from modelium.gateway.proxy import Limits, Proxy
from modelium.gateway.reporting.announcing import Announcer
from modelium.gateway.reporting.requests import Requests
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.reporting.waits import WaitLog
from modelium.gateway.traced_proxy import TracedProxy
from modelium.gateway.waiting.demand import Demand
from modelium.gateway.waiting.eta import Eta
from modelium.gateway.waiting.holding import Holding
from modelium.gateway.waiting.room import WaitingRoom


class Surroundings(Protocol):
    """What a gateway needs of the shell."""

    clock: Clock
    bus: Bus
    store: Store
    instance: str
    checks: Checks


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What routes requests and holds them."""

    table: RouteTable
    room: WaitingRoom
    eta: Eta
    stats: Stats
    dispatch: Dispatch
    announcer: Announcer
    holding: Holding
    demand: Demand
    waits: WaitLog
    requests: Requests
    pulse: Pulse


@dataclass(frozen=True, kw_only=True)
class Gateway(Parts):
    """A gateway whose `work` must run; `app` serves."""

    app: GatewayApp
    updates: ModelUpdates
    live: Live

    def work(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs as long as the gateway, by name."""
        return [
            ("store", self.updates.run()),
            ("holding", self.holding.tick()),
            ("demand", self.demand.run()),
            ("waits", self.waits.run()),
            ("pulse", self.pulse.run()),
            *self.live.work(),
            ("stats.beat", self.announcer.beat()),
            ("stats", self.announcer.run()),
        ]


def assemble(
    around: Surroundings,
    settings: GatewaySettings,
    upstream: Upstream,
    access: Access,
    *,
    pinned: Collection[str] = (),
    comment_every_s: float = COMMENT_EVERY_S,
    tracing: Tracing = NO_TRACING,
) -> Gateway:
    """A gateway that knows no model yet, and is not ready before it does.

    `pinned` models cannot be unloaded; `comment_every_s` paces the signs of life in streams.
    """
    gate, parts = Gate(), _parts(around, settings, Pulse(around.clock, comment_every_s))
    clock, table, stats = around.clock, parts.table, parts.stats
    updates = ModelUpdates(
        table=table,
        holding=parts.holding,
        stats=stats,
        announcer=parts.announcer,
        store=around.store,
        clock=clock,
        gate=gate,
    )
    make = partial(TracedProxy, tracing=tracing) if tracing.on else Proxy
    proxy = make(
        table=table,
        dispatch=parts.dispatch,
        holding=parts.holding,
        upstream=upstream,
        access=access,
        stats=stats,
        waits=parts.waits,
        requests=parts.requests,
        pulse=parts.pulse,
        request_ids=RequestIds(around.instance),
        clock=clock,
        limits=_limits(settings),
    )
    live = _live(around, parts, pinned)
    cold = cold_app(_cold_parts(around, parts, gate, live, pinned))
    give_access(cold, access)
    around.checks.add("models", gate.is_known)
    health = health_app(around.checks)
    return Gateway(
        app=GatewayApp(proxy=proxy, gate=gate, health=health, cold=cold, clock=clock),
        updates=updates,
        live=live,
        **vars(parts),
    )


def _limits(settings: GatewaySettings) -> Limits:
    return Limits(
        max_body_bytes=settings.max_body_bytes,
        held=HeldBytes(settings.max_held_bytes),
        queue_timeout_s=settings.queue_timeout_seconds,
        stream_queue_timeout_s=settings.stream_queue_timeout_seconds,
    )


def _parts(around: Surroundings, settings: GatewaySettings, pulse: Pulse) -> Parts:
    clock, table, stats = around.clock, RouteTable(), Stats(around.clock)
    room = WaitingRoom(settings.max_queue_per_model, settings.max_queue_bytes)
    eta = Eta(table=table, room=room, clock=clock)
    demand, peers = Demand(around.bus, clock), Peers(around.instance)
    announcer = Announcer(
        gateway_id=around.instance, table=table, room=room, stats=stats, bus=around.bus, clock=clock
    )
    dispatch = Dispatch(
        table=table,
        room=room,
        stats=stats,
        announcer=announcer,
        peers=peers,
        clock=clock,
        max_in_flight=settings.max_in_flight_per_instance,
        random=Random(),
    )
    holding = Holding(
        table=table,
        room=room,
        dispatch=dispatch,
        demand=demand,
        eta=eta,
        announcer=announcer,
        peers=peers,
        clock=clock,
    )
    return Parts(
        table=table,
        room=room,
        eta=eta,
        stats=stats,
        dispatch=dispatch,
        announcer=announcer,
        holding=holding,
        demand=demand,
        requests=Requests(gateway_id=around.instance, holding=holding, clock=clock),
        waits=WaitLog(table=table, store=around.store, clock=clock, gateway_id=around.instance),
        pulse=pulse,
    )


def _live(around: Surroundings, parts: Parts, pinned: Collection[str]) -> Live:
    return live_parts(
        gateway_id=around.instance,
        table=parts.table,
        room=parts.room,
        eta=parts.eta,
        stats=parts.stats,
        bus=around.bus,
        store=around.store,
        clock=around.clock,
        pinned=pinned,
    )


def _cold_parts(
    around: Surroundings, parts: Parts, gate: Gate, live: Live, pinned: Collection[str]
) -> ColdParts:
    return ColdParts(
        gateway_id=around.instance,
        table=parts.table,
        room=parts.room,
        eta=parts.eta,
        stats=parts.stats,
        store=around.store,
        bus=around.bus,
        clock=around.clock,
        gate=gate,
        live=live,
        pinned=pinned,
    )
