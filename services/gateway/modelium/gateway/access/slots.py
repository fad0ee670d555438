"""How many requests of an account may run at a time: arithmetic without clocks and stores.

All gateways together hold no more slots than the limit; which of them holds how many is in
`store.Leases`. A gateway asks for what it uses and a few more, and gives back what it does not use.
"""

from typing import Final

from modelium.common.store import SlotsHeld, SlotsWanted

_AHEAD_SHARE: Final = 8
_MOST_AHEAD: Final = 32
ASK_AGAIN_S: Final = 0.25


class Slots:
    """One limit of concurrent requests, as one gateway sees it."""

    __slots__ = ("_asked", "_contended", "ask_again_s", "held", "limit", "most_used", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.used = 0
        self.most_used = 0
        """Since the last renewal."""
        self.ask_again_s = 0.0
        """Before this, asking for more is known to be in vain."""
        self._contended = False
        self._asked = 0

    @property
    def free(self) -> bool:
        """Whether one more request may run."""
        return self.used < self.held

    def enter(self) -> None:
        """One more runs."""
        self.used += 1
        self.most_used = max(self.most_used, self.used)

    def leave(self) -> None:
        """One has ended."""
        self.used -= 1

    def low(self, now_s: float) -> bool:
        """Whether to ask for more now, before somebody has to wait for it."""
        wanting = self.held < self.limit and self.used >= self.held and not self._contended
        return wanting and now_s >= self.ask_again_s

    @property
    def idle(self) -> bool:
        """Whether it can be forgotten."""
        return not (self.used or self.held)

    def wanted(self, *, more: int) -> SlotsWanted:
        """What to ask for: what is used, `more` if requests wait, and some ahead if it is busy.

        What it holds beyond that must not be used from now on: the store may give it to others
        before its answer is here.
        """
        busy = max(self.used, self.most_used)
        ahead = min(_MOST_AHEAD, self.limit // _AHEAD_SHARE) if busy and not self._contended else 0
        wanted = min(self.limit, self.used + more + ahead)
        self.held = min(self.held, wanted)
        self._asked = wanted
        return SlotsWanted(self.limit, wanted)

    def renewed(self, now: SlotsHeld, now_s: float) -> None:
        """The store lets this gateway hold so many."""
        self.held = now.held
        self._contended = now.contended
        # Who came while the store was asked may find nothing, and still not have asked in vain.
        got_all = self.held >= self._asked and self.held < self.limit
        self._looked(now_s, in_vain=not got_all)

    def take_locally(self, now_s: float) -> None:
        """The store is out of reach: go on with what was held, or one."""
        self.held = max(1, self.held)
        self._looked(now_s, in_vain=True)

    def _looked(self, now_s: float, *, in_vain: bool) -> None:
        self.most_used = self.used
        self.ask_again_s = now_s + ASK_AGAIN_S if in_vain and not self.free else 0.0
