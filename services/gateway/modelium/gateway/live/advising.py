"""Who advises: asked of the brain now and then, and when it says that the lead has changed."""

from collections import deque
from datetime import datetime
from typing import Final

from modelium.common.advice import BrainAsked, BrainStatus
from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.reminder import Reminder
from modelium.common.store import Store
from modelium.gateway.live.board import Board
from modelium.gateway.live.documents import LiveAdvisor, Regret

PERIOD_S: Final = 10.0
_ANSWER_S: Final = 5.0
_REMEMBERED: Final = 1000


class Advising:
    """Tells the board; remembers how the regret went since this gateway has started."""

    def __init__(self, *, bus: Bus, store: Store, clock: Clock, board: Board) -> None:
        self._bus = bus
        self._store = store
        self._clock = clock
        self._board = board
        self._reminder = Reminder(clock, PERIOD_S)
        self.history: deque[Regret] = deque(maxlen=_REMEMBERED)

    def changed(self) -> None:
        """The lead has changed hands."""
        self._reminder.soon()

    async def run(self) -> None:
        """Ask, until cancelled."""
        await self._reminder.run(self._tell)

    async def _tell(self) -> None:
        self._board.advisor = await self._ask()

    async def _ask(self) -> LiveAdvisor | None:
        try:
            status = await self._bus.ask(BrainAsked(), BrainStatus, timeout_s=_ANSWER_S)
            since = await self._since(status.advisor)
        except DependencyUnavailable:
            return None
        if status.advisor:
            self._remember(status.standing.regret_s)
        return LiveAdvisor(leads=status.standing.leader, backend=status.backend, since=since)

    async def _since(self, advisor: str) -> datetime | None:
        """Its record is saved when the lead changes hands."""
        record = await self._store.advisors.get(advisor) if advisor else None
        return record.updated_at if record is not None else None

    def _remember(self, regret_s: float) -> None:
        if not self.history or self.history[-1].llm != regret_s:
            self.history.append(Regret(time=self._clock.now(), llm=regret_s, rules=0.0))
