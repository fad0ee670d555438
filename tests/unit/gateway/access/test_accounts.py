"""How long the accounts of organisations and keys are known."""

import asyncio
from weakref import ref

from modelium.common.settings_gateway import QuotaSettings
from modelium.common.testing import FakeClock, InMemoryStore
from modelium.gateway.access.account import Account, Accounts
from modelium.gateway.access.limits import Limiter
from modelium.gateway.access.refilling import Refilling
from tests.access_kit import World, a_principal
from tests.windows import MemoryWindows

TOKENS = QuotaSettings(tokens_per_minute=60)


def an_organization(accounts: Accounts, quota: QuotaSettings) -> Account:
    [account] = accounts.of("organization/acme", "The organisation acme", quota)
    return account


def test_a_name_has_one_account_as_long_as_somebody_has_it() -> None:
    accounts = Accounts()
    account = an_organization(accounts, TOKENS)
    assert an_organization(accounts, TOKENS) is account
    gone = ref(account)
    del account
    assert gone() is None


async def test_a_debt_outlives_the_key_that_made_it_and_the_account_the_debt_no_longer(
    clock: FakeClock,
) -> None:
    world = World(clock, authentication="keys", limits=TOKENS)
    limiter = world.access.limiter
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.access.refilling.run())
        principal = world.ask((await world.key()).text)
        assert principal is not None
        (await limiter.admit_slowly(principal)).done(180)
        [account] = principal.accounts
        known = ref(account)
        del principal, account
        world.access.keys.replace([])
        await clock.advance(10)
        assert known() is not None
        another = world.ask((await world.key()).text)
        assert another is not None
        assert another.accounts == (known(),)
        assert limiter.admit(another) is None  # the debt of the first
        del another
        world.access.keys.replace([])
        await clock.advance(400)
        assert known() is None
        running.cancel()


def test_a_debt_is_kept_although_the_shared_minute_is_known_to_be_empty(clock: FakeClock) -> None:
    """Then nothing more is fetched, which would hold the account as well."""
    refilling = Refilling(
        gateway_id="g",
        windows=MemoryWindows(clock),
        leases=InMemoryStore(clock).leases,
        clock=clock,
    )
    accounts = Accounts()
    account = an_organization(accounts, TOKENS)
    assert account.tokens is not None
    account.tokens.took(1, 0)
    admission = Limiter(refilling, clock).admit(a_principal(account))
    assert admission is not None
    account.tokens.saw(0, 50, 0)
    admission.done(180)
    debt = account.tokens.debt
    del account, admission
    again = an_organization(accounts, TOKENS)
    assert again.tokens is not None
    assert again.tokens.debt == debt > 0
