"""Fetches credit and slots for accounts, in the background, from what all gateways share.

One refill of an account at a time. While the store is out of reach, accounts give themselves what
is surely theirs; that is logged once, and `modelium_gateway_limits_local` is 1.
"""

import asyncio
from typing import Final

import structlog

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.store import Leases
from modelium.gateway.access.account import Account
from modelium.gateway.access.credit import Credit
from modelium.gateway.access.windows import Windows

BEAT_S: Final = 1.0
LEASE_S: Final = 5.0

log = structlog.get_logger()


class Refilling:
    """The only one who asks the store for credit and slots."""

    def __init__(self, *, gateway_id: str, windows: Windows, leases: Leases, clock: Clock) -> None:
        self._gateway_id = gateway_id
        self._windows = windows
        self._leases = leases
        self._clock = clock
        self._due: set[Account] = set()
        self._busy: set[Account] = set()
        self._active: set[Account] = set()
        self._waiting: dict[Account, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._returning = False
        self.gateways = 1
        """How many there were when the store was last asked."""
        self.local = False
        """Whether the store is out of reach."""

    def keep(self, account: Account) -> None:
        """Hold on to it until it is idle: it knows what was used and not paid for yet."""
        self._active.add(account)

    def soon(self, account: Account) -> None:
        """Fetch more for it, without anybody waiting."""
        self._active.add(account)
        self._due.add(account)
        self._wake.set()

    async def refilled(self, account: Account) -> None:
        """Wait until a refill that has not begun yet has ended, whatever it brought."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account, []).append(done)
        self.soon(account)
        await done

    async def run(self) -> None:
        """Fetch what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._begin(group)

    def _begin(self, group: asyncio.TaskGroup) -> None:
        due = self._due - self._busy
        self._due -= due
        self._busy |= due
        for account in due:
            group.create_task(self._refill(account))

    async def _refill(self, account: Account) -> None:
        waiting = self._waiting.pop(account, [])
        try:
            if not self.local:
                await self._fetch(account, len(waiting))
        except DependencyUnavailable as error:
            self._lost(error)
        finally:
            self._free([account])
        if self.local:
            self._take_locally(account)
        for done in waiting:
            if not done.done():
                done.set_result(None)

    def _free(self, accounts: list[Account]) -> None:
        """They are no longer busy; what became due meanwhile goes on."""
        self._busy.difference_update(accounts)
        if not self._due.isdisjoint(accounts):
            self._wake.set()

    async def _fetch(self, account: Account, waiting: int) -> None:
        for name, credit in account.windows:
            now_s = self._clock.monotonic()
            if not credit.has(now_s) or credit.low(now_s):
                units = credit.wanted(now_s)
                if units:
                    await self._take(name, credit, units)
        slots = account.slots
        if slots is not None and (not slots.free or slots.low(self._clock.monotonic())):
            await self._renew([account], waiting)

    async def _take(self, name: str, credit: Credit, units: int) -> None:
        asked_s = self._clock.monotonic()
        taken = await self._windows.take(name, credit.window, units)
        credit.took(taken.units, asked_s)
        credit.saw(taken.left, taken.frees_in_s, self._clock.monotonic())

    async def _renew(self, accounts: list[Account], waiting: int = 0) -> None:
        named = {account.name: account.slots for account in accounts if account.slots}
        wanted = {name: slots.wanted(more=waiting) for name, slots in named.items()}
        held = await self._leases.renew(self._gateway_id, wanted, ttl_s=LEASE_S)
        for name, slots in named.items():
            slots.renewed(held[name], self._clock.monotonic())

    def _take_locally(self, account: Account) -> None:
        now_s = self._clock.monotonic()
        for _, credit in account.windows:
            if not credit.has(now_s) or credit.debt:
                credit.take_locally(self.gateways, now_s)
        if account.slots is not None and not account.slots.free:
            account.slots.take_locally(now_s)

    async def _beat(self) -> None:
        """Every second: renew leases, look whether the store is back, forget who is idle."""
        while True:
            self._forget_idle()
            if self._active or self.local:
                await self._renew_all()
            self._pay_debts()
            await self._clock.sleep(BEAT_S)

    def _forget_idle(self) -> None:
        now_s = self._clock.monotonic()
        at_rest = self._active - self._due - self._busy
        self._active -= {account for account in at_rest if account.idle(now_s)}

    def _pay_debts(self) -> None:
        now_s = self._clock.monotonic()
        for account in [a for a in self._active if a.in_debt(now_s)]:
            self.soon(account)

    async def _renew_all(self) -> None:
        accounts = [account for account in self._active if account not in self._busy]
        self._busy.update(accounts)
        try:
            self.gateways = await self._leases.present(self._gateway_id, ttl_s=LEASE_S)
            await self._renew(accounts)
            if self.local:
                await self._return(accounts)
        except DependencyUnavailable as error:
            self._lost(error)
        finally:
            self._free(accounts)

    def _lost(self, error: DependencyUnavailable) -> None:
        self._returning = False
        if not self.local:
            log.warning("gateway.limits_local", gateways=self.gateways, reason=str(error))
        self.local = True

    async def _return(self, accounts: list[Account]) -> None:
        """Say what was given locally, and share limits again a beat later, when all have said it.

        Before that the window seems to have more left than it has.
        """
        for name, credit in [pair for account in accounts for pair in account.windows]:
            owed = credit.owed(self._clock.monotonic())
            if owed:
                await self._take(name, credit, owed)
        if self._returning:
            log.info("gateway.limits_shared")
            self.local = False
        self._returning = self.local
