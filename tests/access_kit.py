"""Limiters that share windows and leases, as gateways do, for tests of limits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from modelium.common.api_keys import Scope
from modelium.common.clock import Clock
from modelium.common.settings_gateway import QuotaSettings
from modelium.common.store import Leases
from modelium.gateway.access.account import Account
from modelium.gateway.access.limits import Admission, Limiter
from modelium.gateway.access.principal import Principal
from modelium.gateway.access.refilling import Refilling
from modelium.gateway.access.windows import Windows
from modelium.gateway.edge.errors_http import ApiError


def an_account(name: str = "organization/acme", **limits: int) -> Account:
    """With these limits only."""
    return Account(name, "The organisation acme", QuotaSettings(**limits))


def a_principal(*accounts: Account) -> Principal:
    """One who may do everything within these accounts."""
    return Principal("acme", "k1", frozenset(Scope), (), accounts)


@dataclass
class OneLimiter:
    """One gateway's limiter, and its own view of one principal."""

    limiter: Limiter
    refilling: Refilling
    principal: Principal
    running: list[Admission] = field(default_factory=list)
    refused: list[ApiError] = field(default_factory=list)

    async def ask(self, tokens: int | None = 0) -> bool:
        """One request, over at once, unless `tokens` is None: then it runs on."""
        try:
            admission = self.limiter.admit(self.principal)
            admission = admission or await self.limiter.admit_slowly(self.principal)
        except ApiError as refusal:
            self.refused.append(refusal)
            return False
        if tokens is None:
            self.running.append(admission)
        else:
            admission.done(tokens)
        return True

    async def ask_often(self, times: int) -> int:
        """So many requests, one after the other; returns how many were let in."""
        return sum([await self.ask() for _ in range(times)])

    async def ask_at_once(self, times: int, tokens: int | None = 0) -> int:
        """So many requests at the same time."""
        return sum(await asyncio.gather(*(self.ask(tokens) for _ in range(times))))


@asynccontextmanager
async def limiters(
    windows: Windows, leases: Leases, clock: Clock, *, count: int = 1, **limits: int
) -> AsyncIterator[list[OneLimiter]]:
    """Running limiters for one organisation with these limits."""
    made = []
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in range(count):
            refilling = Refilling(
                gateway_id=f"gateway-{number}", windows=windows, leases=leases, clock=clock
            )
            tasks.append(group.create_task(refilling.run()))
            principal = a_principal(an_account(**limits))
            made.append(OneLimiter(Limiter(refilling, clock), refilling, principal))
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
