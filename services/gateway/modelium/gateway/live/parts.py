"""Puts the parts together by which a gateway shows what happens."""

from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from typing import Any

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.store import Store
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.live.advising import Advising
from modelium.gateway.live.board import Board
from modelium.gateway.live.readers import Readers
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.eta import Eta
from modelium.gateway.waiting.room import WaitingRoom


@dataclass(frozen=True, kw_only=True)
class Live:
    """Those parts; `work` must run."""

    board: Board
    advising: Advising
    readers: Readers

    def work(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs as long as the gateway, by name."""
        return [("board", self.board.run()), ("advising", self.advising.run())]


def live_parts(
    *,
    gateway_id: str,
    table: RouteTable,
    room: WaitingRoom,
    eta: Eta,
    stats: Stats,
    bus: Bus,
    store: Store,
    clock: Clock,
    pinned: Collection[str],
) -> Live:
    """`pinned` are the names in `always_loaded`."""
    board = Board(
        gateway_id=gateway_id,
        table=table,
        room=room,
        eta=eta,
        stats=stats,
        clock=clock,
        pinned=pinned,
    )
    advising = Advising(bus=bus, store=store, clock=clock, board=board)
    return Live(board=board, advising=advising, readers=Readers(bus.events))
