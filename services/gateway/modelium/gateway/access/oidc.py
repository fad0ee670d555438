"""Tokens of an identity provider: JWTs, verified once and then remembered until they end.

PyJWT verifies; the provider's keys are fetched by `jwks.py`. What the claims mean is here.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import jwt

from modelium.common.api_keys import ORGANIZATION_PATTERN, Scope
from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.settings_gateway import Oidc
from modelium.gateway.access.account import Account
from modelium.gateway.access.principal import Principal, with_implied
from modelium.gateway.edge import errors_http as errors

REMEMBERED: Final = 10_000
_LONGEST_SUBJECT: Final = 64
_NEEDED: Final = ("exp", "aud", "iss")

AccountsOf = Callable[[str], tuple[Account, ...]]


class SigningKeys(Protocol):
    """The provider's public keys."""

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of this id (None: the only one there is), fetched if need be.

        Raises:
            DependencyUnavailable: it is not known, and the provider does not answer.
        """


class Tokens:
    """Verifies tokens and remembers whose they are."""

    def __init__(
        self,
        *,
        settings: Oidc,
        keys: SigningKeys,
        accounts_of: AccountsOf,
        clock: Clock,
        remembered: int = REMEMBERED,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._accounts_of = accounts_of
        self._clock = clock
        self._remembered = remembered
        self._verified: dict[bytes, tuple[float, Principal]] = {}

    def known(self, token: bytes) -> Principal | None:
        """Whose it is, if it was verified before and has not ended."""
        name = hashlib.sha256(token).digest()
        ends, principal = self._verified.get(name, (0.0, None))
        if principal is not None and self._clock.now().timestamp() >= ends:
            del self._verified[name]
            return None
        return principal

    async def verify(self, token: bytes) -> Principal:
        """Whose it is.

        Raises:
            ApiError: 401 that says what is wrong with it; 503 when the keys cannot be had.
        """
        known = self.known(token)
        if known is not None:
            return known
        claims = await self._claims(token)
        principal = self._principal(claims)
        if len(self._verified) >= self._remembered:
            del self._verified[next(iter(self._verified))]
        self._verified[hashlib.sha256(token).digest()] = (float(claims["exp"]), principal)
        return principal

    async def _claims(self, token: bytes) -> Mapping[str, Any]:
        settings = self._settings
        try:
            key = await self._keys.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise errors.invalid_api_key("The token is signed with a key nobody knows.")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(settings.algorithms),
                audience=settings.audience,
                issuer=settings.issuer,
                options={"require": list(_NEEDED)},
            )
        except jwt.PyJWTError as error:
            raise errors.invalid_api_key(f"The token is not accepted: {error}.") from error
        except DependencyUnavailable as error:
            raise errors.unavailable(f"The token cannot be checked now: {error.what}.") from error
        return claims

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        settings = self._settings
        organization = claims.get(settings.organization_claim)
        if not isinstance(organization, str) or not re.fullmatch(
            ORGANIZATION_PATTERN, organization
        ):
            raise errors.invalid_api_key(
                f"The token's claim {settings.organization_claim!r} must name an organisation."
            )
        named = _words(claims.get(settings.scope_claim, ""))
        scopes = frozenset(scope for scope in Scope if scope in named)
        models = claims.get(settings.models_claim)
        return Principal(
            organization=organization,
            key_id=_key_id(claims),
            scopes=with_implied(scopes),
            models=() if models is None else _words(models) or ("",),
            accounts=self._accounts_of(organization),
        )


def _words(value: Any) -> tuple[str, ...]:
    """A claim that is a list, or text with spaces; anything else is empty."""
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(str(part) for part in value) if isinstance(value, list) else ()


def _key_id(claims: Mapping[str, Any]) -> str:
    """What usage is counted under: the token's subject, as far as it is a plain word."""
    subject = re.sub(r"[^A-Za-z0-9@._-]", "_", str(claims.get("sub", "")))[:_LONGEST_SUBJECT]
    return f"oidc:{subject}" if subject else "oidc"
