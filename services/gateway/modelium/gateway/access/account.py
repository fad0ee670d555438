"""The limits of one organisation or one key together."""

from dataclasses import dataclass
from typing import Final, Protocol
from weakref import WeakValueDictionary

from modelium.gateway.access.credit import Credit
from modelium.gateway.access.slots import Slots

_SLOT_RETRY_S: Final = 1.0
"""Nobody knows when a request will end."""
REQUESTS: Final = "requests"
TOKENS: Final = "tokens"


class Quota(Protocol):
    """Limits as settings and keys have them; None is no limit."""

    @property
    def requests_per_minute(self) -> int | None:
        """In any 60 seconds."""

    @property
    def tokens_per_minute(self) -> int | None:
        """In any 60 seconds, prompt and completion."""

    @property
    def concurrent_requests(self) -> int | None:
        """At a time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit that is reached, in words, and when to try again."""

    limit: str
    retry_after_s: float


class Account:
    """What may still be asked for in one name, as this gateway sees it.

    `name` is for the store, `title` for people. All requests of one organisation share one account.
    """

    __slots__ = ("__weakref__", "name", "requests", "slots", "title", "tokens")

    def __init__(self, name: str, title: str, quota: Quota) -> None:
        requests, tokens = quota.requests_per_minute, quota.tokens_per_minute
        self.name = name
        self.title = title
        self.requests = Credit(requests) if requests is not None else None
        self.tokens = Credit(tokens) if tokens is not None else None
        self.slots = (
            Slots(quota.concurrent_requests) if quota.concurrent_requests is not None else None
        )

    def ready(self, now_s: float) -> bool:
        """Whether one more request may begin."""
        return (
            (self.slots is None or self.slots.free)
            and (self.requests is None or self.requests.has(now_s))
            and (self.tokens is None or self.tokens.has(now_s))
        )

    def enter(self, now_s: float) -> None:
        """One more begins."""
        if self.slots is not None:
            self.slots.enter()
        if self.requests is not None:
            self.requests.spend(1, now_s)

    def leave(self, tokens: int, now_s: float) -> None:
        """One has ended, and used so many tokens."""
        if self.slots is not None:
            self.slots.leave()
        if self.tokens is not None and tokens:
            self.tokens.spend(tokens, now_s)

    @property
    def windows(self) -> list[tuple[str, Credit]]:
        """The limits per minute there are, by the names of the windows that gateways share."""
        both = ((REQUESTS, self.requests), (TOKENS, self.tokens))
        return [(f"{self.name}/{what}", credit) for what, credit in both if credit is not None]

    def low(self, now_s: float) -> bool:
        """Whether more should be taken now, ahead of need."""
        return (
            (self.slots is not None and self.slots.low(now_s))
            or (self.requests is not None and self.requests.low(now_s))
            or (self.tokens is not None and self.tokens.low(now_s))
        )

    def in_debt(self, now_s: float) -> bool:
        """Whether more should be taken although nobody asks."""
        return any(credit.debt and credit.low(now_s) for _, credit in self.windows)

    def refusal(self, now_s: float) -> Refusal | None:
        """Which limit is known to be reached; None while it is worth asking the store."""
        if self.slots is not None and not self.slots.free and now_s < self.slots.ask_again_s:
            return Refusal(f"{self.slots.limit} concurrent requests", _SLOT_RETRY_S)
        for what, credit in ((REQUESTS, self.requests), (TOKENS, self.tokens)):
            if credit is None:
                continue
            if not credit.has(now_s) and now_s < credit.full_until_s:
                return Refusal(f"{credit.limit} {what} per minute", credit.frees_in_s(now_s))
        return None

    def idle(self, now_s: float) -> bool:
        """Whether nobody used it within the last minute."""
        slots = self.slots is None or self.slots.idle
        return slots and all(credit.idle(now_s) for _, credit in self.windows)


def has_limits(quota: Quota) -> bool:
    """Whether it limits anything."""
    return any(
        limit is not None
        for limit in (
            quota.requests_per_minute,
            quota.tokens_per_minute,
            quota.concurrent_requests,
        )
    )


class Accounts:
    """Makes one account for each name, however often it is asked for.

    It is forgotten once no key, token or request has it and `Refilling` has let it go as idle:
    organisations come from tokens, and keys come and go.
    """

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Account] = WeakValueDictionary()

    def of(self, name: str, title: str, quota: Quota) -> tuple[Account, ...]:
        """The account in a tuple; an empty one where nothing is limited."""
        if not has_limits(quota):
            return ()
        account = self._known.get(name)
        if account is None:
            account = self._known[name] = Account(name, title, quota)
        return (account,)
