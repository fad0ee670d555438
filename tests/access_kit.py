"""Access with everything it needs in memory, and limiters that share windows and leases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from modelium.common.api_keys import Minted, Scope, mint
from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.load_settings import Settings
from modelium.common.settings import Gateway
from modelium.common.settings_gateway import QuotaSettings
from modelium.common.store import Leases, Store
from modelium.common.testing import FakeClock, InMemoryBus, InMemoryStore
from modelium.gateway.access.account import Account
from modelium.gateway.access.assembly import Access, assemble_access
from modelium.gateway.access.limits import Admission, Limiter
from modelium.gateway.access.oidc import SigningKeys
from modelium.gateway.access.principal import Principal
from modelium.gateway.access.refilling import Refilling
from modelium.gateway.access.windows import Windows
from modelium.gateway.edge.call import Headers
from modelium.gateway.edge.errors_http import ApiError
from tests.windows import MemoryWindows


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


PEPPER = b"a pepper for tests"


@dataclass
class Around:
    """What the shell gives."""

    clock: Clock
    store: Store
    bus: Bus
    instance: str = "gateway-test"


class World:
    """Access with a store in memory."""

    def __init__(
        self, clock: FakeClock, *, signing_keys: SigningKeys | None = None, **gateway: Any
    ) -> None:
        self.store = InMemoryStore(clock)
        self.bus = InMemoryBus()
        self.around = Around(clock, self.store, self.bus)
        settings = Settings(gateway=Gateway(**({"key_pepper": PEPPER.decode()} | gateway)))
        self.access: Access = assemble_access(
            self.around, settings, MemoryWindows(clock), signing_keys=signing_keys
        )

    async def key(self, *, read: bool = True, pepper: bytes = PEPPER, **fields: Any) -> Minted:
        """A key in the store, and, unless told otherwise, in the table."""
        given = {"organization": "acme", "scopes": (Scope.INFERENCE, Scope.READ)} | fields
        minted = mint(pepper, now=self.around.clock.now(), **given)
        await self.around.store.api_keys.save(minted.record)
        if read:
            await self.access.keys.read()
        return minted

    def ask(self, text: str | None, scope: Scope = Scope.INFERENCE) -> Principal | None:
        return self.access.authenticator.authenticate(bearer(text), scope)

    async def ask_slowly(self, text: str, scope: Scope = Scope.INFERENCE) -> Principal:
        return await self.access.authenticator.authenticate_slowly(bearer(text), scope)


def bearer(text: str | None) -> Headers:
    named = [] if text is None else [(b"authorization", f"Bearer {text}".encode())]
    return [(b"host", b"x"), *named]
