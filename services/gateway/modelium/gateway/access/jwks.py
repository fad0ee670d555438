"""The public keys of the identity provider, kept in memory.

Fetched when a key id is not known, at most once in ten seconds however many ask, and again when
they are an hour old: then a key that the provider has withdrawn verifies no more tokens. Those it
has verified before count until they expire (`oidc.py`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp
import jwt
import structlog

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable

FETCH_AGAIN_S: Final = 10.0
MAX_AGE_S: Final = 3600.0
_TIMEOUT_S: Final = 5.0

Fetch = Callable[[], Awaitable[dict[str, Any]]]
log = structlog.get_logger()


class Jwks:
    """Implements `oidc.SigningKeys`."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: list[jwt.PyJWK] = []
        self._fetched_s = float("-inf")
        self._tried_s = float("-inf")
        self._failure: DependencyUnavailable | None = None
        """Why the last fetch failed; None: it did not."""
        self._one = asyncio.Lock()

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """See `SigningKeys.find`."""
        found = self._among(key_id)
        if found is None or self._clock.monotonic() >= self._fetched_s + MAX_AGE_S:
            await self._refresh()
            found = self._among(key_id)
        if found is None and self._failure is not None:
            # Not known is then not the same as wrong, however long ago the last try was.
            raise DependencyUnavailable(self._failure.what, self._failure.remedy)
        return found

    def _among(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    async def _refresh(self) -> None:
        """One at a time: who waited for another's fetch finds it done just now."""
        async with self._one:
            if self._clock.monotonic() < self._tried_s + FETCH_AGAIN_S:
                return
            self._tried_s = self._clock.monotonic()
            try:
                self._keys = _usable(await self._fetch())
                self._fetched_s = self._clock.monotonic()
                self._failure = None
            except DependencyUnavailable as error:
                log.warning("gateway.jwks_unavailable", reason=str(error))
                self._failure = error


def _usable(jwks: dict[str, Any]) -> list[jwt.PyJWK]:
    """Those keys of a set that PyJWT understands."""
    try:
        return list(jwt.PyJWKSet.from_dict(jwks).keys)
    except (jwt.PyJWTError, AttributeError, TypeError) as error:
        raise _away(f"what it answers is no set of keys ({error})") from error


def _away(reason: str) -> DependencyUnavailable:
    return DependencyUnavailable(
        f"The identity provider's keys cannot be had: {reason}",
        "Check gateway.oidc.issuer and gateway.oidc.jwks_url",
    )


def fetch_over_http(url: str) -> Fetch:
    """Fetches the set of keys from there; rare, so without a connection that is kept."""

    async def fetch() -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
                answer.raise_for_status()
                found: dict[str, Any] = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _away(f"{url}: {str(error) or type(error).__name__}") from error
        return found

    return fetch
