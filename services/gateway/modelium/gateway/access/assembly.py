"""Puts the parts of access together."""

from collections.abc import Coroutine, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from modelium.common.api_keys import ApiKey, Scope
from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.errors import SettingsError
from modelium.common.key_pepper import read_pepper
from modelium.common.load_settings import Settings
from modelium.common.store import Store
from modelium.gateway.access.account import Account, Accounts
from modelium.gateway.access.address import check_address, is_open
from modelium.gateway.access.authenticate import Authenticator
from modelium.gateway.access.cors import Cors, cors_of
from modelium.gateway.access.jwks import Jwks, fetch_over_http
from modelium.gateway.access.key_table import KeyTable
from modelium.gateway.access.limits import Limiter
from modelium.gateway.access.oidc import SigningKeys, Tokens
from modelium.gateway.access.origins import Origins
from modelium.gateway.access.principal import ANONYMOUS, EVERYTHING, Principal, with_implied
from modelium.gateway.access.refilling import Refilling
from modelium.gateway.access.usage import UsageMeter
from modelium.gateway.access.windows import Windows


class Surroundings(Protocol):
    """What access needs of the shell."""

    clock: Clock
    bus: Bus
    store: Store
    instance: str


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may ask, how much, and what it cost; `work` must run."""

    settings: Settings
    keys: KeyTable
    authenticator: Authenticator
    origins: Origins | None
    """What keeps web pages out where no key is needed."""
    cors: Cors | None
    """Which pages of other sites are let in, if any."""
    limiter: Limiter
    usage: UsageMeter
    refilling: Refilling
    windows: Windows
    store: Store
    bus: Bus
    clock: Clock

    async def start(self) -> None:
        """Read the keys, and see that the address is one to listen on.

        Raises:
            SettingsError: it may not.
        """
        await self.keys.read()
        counted = len(self.keys.valid(self.clock.now()))
        check_address(self.settings.gateway, keys=counted)

    async def principal_of(self, scope: MutableMapping[str, Any], needed: Scope) -> Principal:
        """Who sent this request, if they may do what needs this scope.

        Raises:
            ApiError: 401, 403; 503 when that cannot be found out now.
        """
        headers = scope["headers"]
        known = self.authenticator.authenticate(headers, needed)
        return known or await self.authenticator.authenticate_slowly(headers, needed)

    def work(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs as long as the gateway, by name."""
        return [
            ("keys", self.keys.run()),
            ("limits", self.refilling.run()),
            ("usage", self.usage.run()),
        ]

    async def close(self) -> None:
        """Write the usage that is left, and hang up."""
        await self.usage.flush()
        await self.windows.close()


def assemble_access(
    around: Surroundings,
    settings: Settings,
    windows: Windows,
    *,
    signing_keys: SigningKeys | None = None,
) -> Access:
    """The parts of access; `signing_keys` are fetched from `gateway.oidc.jwks_url` otherwise.

    Raises:
        SettingsError: tokens are to be accepted, and nothing says where their keys are; or the
            origins are wrong that are to be let in.
    """
    clock, store = around.clock, around.store
    quotas = _Quotas(settings, Accounts())
    keys = KeyTable(
        keys=store.api_keys,
        pepper=partial(read_pepper, settings.gateway),
        principal_of=quotas.principal_of,
        clock=clock,
    )
    refilling = Refilling(
        gateway_id=around.instance, windows=windows, leases=store.leases, clock=clock
    )
    opened = is_open(settings.gateway)
    anonymous = quotas.anonymous() if opened else None
    names = {settings.gateway.host, *settings.gateway.allowed_hosts}
    cors = cors_of(settings.gateway.allowed_origins, opened=opened)
    tokens = _tokens(settings, quotas, signing_keys, clock)
    return Access(
        settings=settings,
        keys=keys,
        authenticator=Authenticator(keys=keys, tokens=tokens, anonymous=anonymous),
        origins=Origins(names, cors) if opened else None,
        cors=cors,
        limiter=Limiter(refilling, clock),
        usage=UsageMeter(gateway_id=around.instance, usage=store.usage, clock=clock),
        refilling=refilling,
        windows=windows,
        store=store,
        bus=around.bus,
        clock=clock,
    )


@dataclass(frozen=True)
class _Quotas:
    """Who has which limits."""

    settings: Settings
    accounts: Accounts

    def of(self, organization: str) -> tuple[Account, ...]:
        gateway = self.settings.gateway
        quota = gateway.organizations.get(organization, gateway.limits)
        name = f"organization/{organization}"
        return self.accounts.of(name, f"The organisation {organization}", quota)

    def principal_of(self, key: ApiKey) -> Principal:
        title = f"The key {key.key_id}" + (f" ({key.name})" if key.name else "")
        own = self.accounts.of(f"key/{key.key_id}", title, key)
        return Principal(
            organization=key.organization,
            key_id=key.key_id,
            scopes=with_implied(frozenset(key.scopes)),
            models=key.models,
            accounts=own + self.of(key.organization),
        )

    def anonymous(self) -> Principal:
        organization = self.settings.organization.id
        return Principal(
            organization=organization,
            key_id=ANONYMOUS,
            scopes=EVERYTHING,
            accounts=self.of(organization),
        )


def _tokens(
    settings: Settings, quotas: _Quotas, signing_keys: SigningKeys | None, clock: Clock
) -> Tokens | None:
    oidc = settings.gateway.oidc
    if not oidc.issuer:
        return None
    if not (oidc.jwks_url or signing_keys):
        raise SettingsError(
            ("gateway.oidc.jwks_url: expected where the keys of gateway.oidc.issuer are, not ''",)
        )
    keys = signing_keys or Jwks(fetch_over_http(oidc.jwks_url), clock)
    return Tokens(settings=oidc, keys=keys, accounts_of=quotas.of, clock=clock)
