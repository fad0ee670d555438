"""Whether a request may begin, by the limits of its organisation and key.

`admit` decides with what this gateway holds; only when that is used up does a request wait for the
store, in `admit_slowly`. `refilling.py` fetches more in the background.
"""

from typing import Final

from modelium.common.clock import Clock
from modelium.gateway.access.account import Account
from modelium.gateway.access.principal import Principal
from modelium.gateway.access.refilling import Refilling
from modelium.gateway.edge import errors_http as errors


class Admission:
    """One request that was let in."""

    __slots__ = ("_accounts", "_limiter")

    def __init__(self, limiter: "Limiter | None", accounts: tuple[Account, ...]) -> None:
        self._limiter = limiter
        self._accounts = accounts

    def done(self, tokens: int = 0) -> None:
        """It has ended, and used so many tokens; only the first call counts."""
        if self._limiter is not None:
            limiter, self._limiter = self._limiter, None
            limiter.left(self._accounts, tokens)


_UNLIMITED: Final = Admission(None, ())


class Limiter:
    """Lets requests in; `Refilling.run` must run beside it."""

    def __init__(self, refilling: Refilling, clock: Clock) -> None:
        self._refilling = refilling
        self._clock = clock

    def admit(self, principal: Principal) -> Admission | None:
        """Let one request in; None when only `admit_slowly` can tell."""
        accounts = principal.accounts
        if not accounts:
            return _UNLIMITED
        now_s = self._clock.monotonic()
        for account in accounts:
            if not account.ready(now_s):
                return None
        for account in accounts:
            account.enter(now_s)
            if account.low(now_s):
                self._refilling.soon(account)
        return Admission(self, accounts)

    async def admit_slowly(self, principal: Principal) -> Admission:
        """Let one request in as soon as the store has said that it may.

        Raises:
            ApiError: 429 that names the limit, and when there is room again.
        """
        while True:
            admission = self.admit(principal)
            if admission is not None:
                return admission
            now_s = self._clock.monotonic()
            short = [account for account in principal.accounts if not account.ready(now_s)]
            for account in short:
                refusal = account.refusal(now_s)
                if refusal is not None:
                    text = f"{account.title} has reached its limit of {refusal.limit}."
                    raise errors.rate_limited(text, retry_after_s=refusal.retry_after_s)
            await self._refilling.refilled(short[0])

    def left(self, accounts: tuple[Account, ...], tokens: int) -> None:
        """A request that was let in has ended; for `Admission`."""
        now_s = self._clock.monotonic()
        for account in accounts:
            account.leave(tokens, now_s)
            if tokens:
                self._refilling.keep(account)
            if account.low(now_s):
                self._refilling.soon(account)
