"""Fair shares of a model's queue between organisations: who goes next, and who has to give way.

Pure. Next is the organisation with the fewest requests in flight at the model, of several the one
whose request is oldest; within an organisation requests go in the order of arrival.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Tickets = Mapping[str, Sequence[int]]
"""Of each organisation that waits, its tickets in ascending order; a lower one is older."""


def next_organization(waiting: Tickets, in_flight: Mapping[str, int]) -> str:
    """Who goes next; somebody has to wait."""
    if len(waiting) == 1:
        return next(iter(waiting))
    return min(waiting, key=lambda name: (in_flight.get(name, 0), waiting[name][0]))


def position(waiting: Tickets, in_flight: Mapping[str, int], organization: str, ticket: int) -> int:
    """How many go before this one if none that is in flight ends first, and one more.

    As each that goes adds to what is in flight, an organisation's request number k (from 0) goes
    when its organisation has `in_flight + k` there: all requests go in ascending order of that.
    """
    own = bisect_left(waiting[organization], ticket)
    turn = in_flight.get(organization, 0) + own
    before = own
    for name, tickets in waiting.items():
        same_turn = turn - in_flight.get(name, 0)
        if name != organization and same_turn >= 0:
            before += min(len(tickets), same_turn)
            before += same_turn < len(tickets) and tickets[same_turn] < ticket
    return before + 1


@dataclass(frozen=True, slots=True)
class Claim:
    """What one that waits, and may be displaced, has of the queue."""

    organization: str
    ticket: int
    size: int


def giving_way(
    held: Mapping[str, int], claims: Iterable[Claim], newcomer: str, need: int, bound: int
) -> list[int] | None:
    """Whose tickets give way to `newcomer`, who needs `need` of a queue of size `bound`.

    Nobody if there is room. None if `newcomer` would then have more than its part, or if those
    with more than theirs may not be displaced. `held` is what each organisation has, `claims` the
    part of it that may be displaced, the oldest first.
    """
    held, short = dict(held), sum(held.values()) + need - bound
    if short <= 0:
        return []
    sharers = len(held.keys() | {newcomer})
    if (held.get(newcomer, 0) + need) * sharers > bound:
        return None
    owned: dict[str, list[Claim]] = {}
    for claim in claims:
        owned.setdefault(claim.organization, []).append(claim)
    tickets: list[int] = []
    while short > 0:
        rich = [name for name, left in owned.items() if left and held[name] * sharers > bound]
        if not rich:
            return None
        victim = owned[max(rich, key=lambda name: held[name])].pop()
        held[victim.organization] -= victim.size
        short -= victim.size
        tickets.append(victim.ticket)
    return tickets
