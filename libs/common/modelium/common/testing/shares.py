"""What gateways share, in memory: leases of concurrent requests, and the log of usage."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.store import SlotsHeld, SlotsWanted
from modelium.common.usage import Figures, Usage


def _must_answer(answers: Callable[[], bool]) -> None:
    if not answers():
        raise DependencyUnavailable("The store in memory is away", "Set `answers` again")


class InMemoryLeases:
    """Implements `store.Leases`."""

    def __init__(self, clock: Clock, answers: Callable[[], bool]) -> None:
        self._clock = clock
        self._answers = answers
        self._slots: dict[str, dict[str, tuple[int, int, float]]] = {}
        self._gateways: dict[str, float] = {}

    async def renew(
        self, gateway_id: str, slots: Mapping[str, SlotsWanted], *, ttl_s: float
    ) -> Mapping[str, SlotsHeld]:
        _must_answer(self._answers)
        return {
            account: self._held(gateway_id, account, want, ttl_s) for account, want in slots.items()
        }

    def _held(self, gateway_id: str, account: str, want: SlotsWanted, ttl_s: float) -> SlotsHeld:
        now_s = self._clock.monotonic()
        known = self._slots.get(account, {})
        others = {g: lease for g, lease in known.items() if g != gateway_id and lease[2] > now_s}
        free = want.limit - sum(held for held, _, _ in others.values())
        held = max(0, min(want.wanted, free))
        own = {gateway_id: (held, want.wanted, now_s + ttl_s)} if want.wanted else {}
        self._slots[account] = others | own
        return SlotsHeld(held, any(wanted > got for got, wanted, _ in others.values()))

    async def present(self, gateway_id: str, *, ttl_s: float) -> int:
        _must_answer(self._answers)
        now_s = self._clock.monotonic()
        self._gateways[gateway_id] = now_s + ttl_s
        return sum(ends > now_s for ends in self._gateways.values())


class InMemoryUsageLog:
    """Implements `store.UsageLog`."""

    def __init__(self, answers: Callable[[], bool]) -> None:
        self._answers = answers
        self._sequences: dict[str, int] = {}
        self._figures: dict[tuple[str, date, str, str], Figures] = {}

    async def add(self, gateway_id: str, sequence: int, rows: Sequence[Usage]) -> None:
        _must_answer(self._answers)
        if self._sequences.get(gateway_id, 0) >= sequence:
            return
        self._sequences[gateway_id] = sequence
        for row in rows:
            key = (row.organization, row.day, row.key_id, row.model)
            self._figures[key] = self._figures.get(key, Figures()) + row.figures

    async def of(self, organization: str | None, first: date, last: date) -> list[Usage]:
        _must_answer(self._answers)
        return [
            Usage(*key, figures)
            for key, figures in sorted(self._figures.items(), key=lambda item: item[0])
            if organization in (None, key[0]) and first <= key[1] <= last
        ]
