"""What an account may still spend in any minute: arithmetic without clocks, stores or tasks.

The truth is a window that all gateways share (`windows.py`). A gateway takes units of it ahead, in
blocks, and then spends them by itself. It keeps one rule: within any minute it never spends more
than it took within that minute. So all gateways together stay within the limit, and what was taken
and not yet spent is not lost before the window itself forgets it.

Tokens are spent when they are known, after the fact. What goes beyond what was taken is a debt,
which later units pay first; until then nothing more is allowed.
"""

from collections import deque
from typing import Final

WINDOW_S: Final = 60.0
MAX_UNITS: Final = 10_000
"""The shared window keeps an entry for each unit; a larger limit is counted in larger units."""

_LARGEST_SHARE: Final = 16
"""A block is at most this part of the limit, so that what idle gateways hold stays small."""
_SCARCE_SHARE: Final = 4
"""And at most this part of what is left, so that several gateways can share the rest."""
_QUICK_S: Final = 0.25
_SLOW_S: Final = 2.0
_GRAIN_S: Final = 0.25
"""What was spent is noted in steps of this; it counts until the end of its step."""


class Credit:
    """One limit per minute, as one gateway sees it."""

    __slots__ = (
        "_charges",
        "_looked_s",
        "_next_s",
        "_owed",
        "_owed_until_s",
        "_spent",
        "_taken_s",
        "balance",
        "block",
        "debt",
        "frees_at_s",
        "full_until_s",
        "left",
        "limit",
        "unit",
        "window",
    )

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.unit = -(-limit // MAX_UNITS)
        """How many requests or tokens one unit is."""
        self.window = limit // self.unit
        """How many units there are in a minute."""
        self.balance = 0
        """Taken less spent, within the last minute."""
        self.debt = 0
        self.block = 1
        self.full_until_s = 0.0
        """Before this, asking the window is known to be in vain."""
        self.frees_at_s = 0.0
        """When the window gets something back, as far as it is known."""
        self.left: int | None = None
        """Units left in the window when it was last seen; None: it never was."""
        self._looked_s = 0.0
        self._taken_s = 0.0
        self._owed = 0
        self._owed_until_s = 0.0
        self._charges: deque[tuple[float, int]] = deque()
        self._spent: deque[tuple[float, int]] = deque()
        self._next_s = float("inf")

    def has(self, now_s: float) -> bool:
        """Whether something may be spent."""
        if now_s >= self._next_s:
            self._forget(now_s)
        return self.balance > 0 and not self.debt

    def spend(self, amount: int, now_s: float) -> None:
        """Spend it, whether or not it is there."""
        if now_s >= self._next_s:
            self._forget(now_s)
        covered = min(amount, max(0, self.balance))
        self.debt += amount - covered
        self._note_spent(covered, now_s)

    def _note_spent(self, amount: int, now_s: float) -> None:
        if not amount:
            return
        self.balance -= amount
        if self._spent and self._spent[-1][0] >= now_s + WINDOW_S:
            until_s, before = self._spent[-1]
            self._spent[-1] = (until_s, before + amount)
            return
        until_s = now_s + WINDOW_S + _GRAIN_S
        self._spent.append((until_s, amount))
        self._next_s = min(self._next_s, until_s)

    def _forget(self, now_s: float) -> None:
        """Let what is a minute old go, taken and spent."""
        while self._charges and self._charges[0][0] <= now_s:
            self.balance -= self._charges.popleft()[1]
        while self._spent and self._spent[0][0] <= now_s:
            self.balance += self._spent.popleft()[1]
        self._settle(now_s)
        firsts = [events[0][0] for events in (self._charges, self._spent) if events]
        self._next_s = min(firsts, default=float("inf"))

    def _settle(self, now_s: float) -> None:
        """Pay the debt with what is there."""
        if self.debt and self.balance > 0:
            paid = min(self.debt, self.balance)
            self.debt -= paid
            self._note_spent(paid, now_s)

    def low(self, now_s: float) -> bool:
        """Whether to take more now, before the balance is used up."""
        short = self.debt > 0 or 2 * self.balance < (self.block - 1) * self.unit
        return short and now_s >= self.full_until_s

    def idle(self, now_s: float) -> bool:
        """Whether it can be forgotten: nothing was taken or spent within the last minute."""
        self.has(now_s)
        return not (self._charges or self._spent or self.debt or self.owed(now_s))

    def wanted(self, now_s: float) -> int:
        """How many units to ask the window for now; 0 while it is known to be empty."""
        if now_s < self.full_until_s:
            return 0
        self.has(now_s)
        block = self.block
        if self.left is not None and now_s < self._looked_s + WINDOW_S:
            block = min(block, max(1, self.left // _SCARCE_SHARE))
        missing = self.debt + max(0, -self.balance)
        return min(self.window, block + self.owed(now_s) + -(-missing // self.unit))

    def owed(self, now_s: float) -> int:
        """Units it gave itself within the last minute, which the window does not know of."""
        self._owed = self._owed if now_s < self._owed_until_s else 0
        return self._owed

    def took(self, units: int, asked_s: float) -> None:
        """The window gave `units`, asked for at `asked_s`."""
        paid = min(self._owed, units)
        self._owed -= paid
        self._charge(units - paid, asked_s)
        since_s = asked_s - self._taken_s
        if since_s < _QUICK_S:
            self.block = min(2 * self.block, max(1, self.window // _LARGEST_SHARE))
        elif since_s > _SLOW_S:
            self.block = max(1, self.block // 2)
        self._taken_s = asked_s

    def _charge(self, units: int, asked_s: float) -> None:
        amount = units * self.unit
        if not amount:
            return
        self._charges.append((asked_s + WINDOW_S, amount))
        self._next_s = min(self._next_s, asked_s + WINDOW_S)
        self.balance += amount
        self._settle(asked_s)

    def saw(self, left: int, frees_in_s: float, now_s: float) -> None:
        """The window had `left` units at `now_s`; an empty one gets some in `frees_in_s`."""
        self.left = left
        self._looked_s = now_s
        self.frees_at_s = now_s + frees_in_s
        self.full_until_s = self.frees_at_s if left == 0 else 0.0

    def take_locally(self, gateways: int, now_s: float) -> int:
        """Give itself units while the window is out of reach; returns how many.

        Its share of the limit among `gateways`, less what it took in this minute; and as long as
        somebody may have what the window last had, no more than its share of that. What it gives
        itself is owed to the window.
        """
        self.has(now_s)
        taken = sum(amount for _, amount in self._charges) // self.unit
        free = max(1, self.window // gateways) - taken
        if self.left is not None and now_s < self._looked_s + WINDOW_S:
            # Others may have taken half of it since.
            free = min(free, self.left if gateways == 1 else self.left // (2 * gateways))
        units = max(0, min(free, self.wanted(now_s)))
        if units:
            self._charge(units, now_s)
            self._owed += units
            self._owed_until_s = now_s + WINDOW_S
            self.left = None if self.left is None else self.left - units
        else:
            self.full_until_s = now_s + _SLOW_S / 2
            self.frees_at_s = self._charges[0][0] if self._charges else self._looked_s + WINDOW_S
        return units

    def frees_in_s(self, now_s: float) -> float:
        """How long it takes until something may be spent again, as far as it is known."""
        repaying_s = WINDOW_S * self.debt / (self.window * self.unit)
        return max(0.0, self.frees_at_s - now_s) + repaying_s
