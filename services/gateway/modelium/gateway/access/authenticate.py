"""Finds out who asks, from the headers of a request.

A key or token comes as `Authorization: Bearer` or, as Anthropic's clients send it, as `x-api-key`.
Where no key is needed, everybody without one of ours is anonymous: clients of OpenAI's kind always
send some key. One of ours that is wrong, revoked or expired is refused there too: its owner was
given less than everybody may do, and means to be known.
"""

from modelium.common.api_keys import KEY_PREFIX, Scope
from modelium.common.errors import DependencyUnavailable
from modelium.gateway.access.key_table import KeyTable
from modelium.gateway.access.oidc import Tokens
from modelium.gateway.access.principal import Principal
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.call import Headers
from modelium.gateway.edge.errors_http import ApiError

_OURS = KEY_PREFIX.encode()
_BEARER_CHARS = len(b"bearer ")


def credential_in(headers: Headers) -> bytes | None:
    """The key or token, or None if there is neither."""
    found = None
    for name, value in headers:
        if name == b"authorization":
            if value[:_BEARER_CHARS].lower() == b"bearer ":
                return value[_BEARER_CHARS:].strip()
        elif name == b"x-api-key":
            found = value
    return found


class Authenticator:
    """`anonymous` is who asks without a key; None where every request needs one."""

    def __init__(
        self, *, keys: KeyTable, tokens: Tokens | None, anonymous: Principal | None
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._anonymous = anonymous

    def authenticate(self, headers: Headers, scope: Scope) -> Principal | None:
        """Who asks; None when only `authenticate_slowly` can tell.

        Raises:
            ApiError: 401 for no key or a bad one, 403 for one that is not for `scope`.
        """
        credential = credential_in(headers)
        if not credential:
            return _allowed(self._nobody(), scope)
        try:
            principal = self._known(credential)
        except ApiError:
            if self._anonymous is None or self._is_ours(credential):
                raise
            principal = self._anonymous
        return None if principal is None else _allowed(principal, scope)

    async def authenticate_slowly(self, headers: Headers, scope: Scope) -> Principal:
        """Who asks, whatever it takes to find out.

        Raises:
            ApiError: as `authenticate`; 503 when what it takes is away.
        """
        credential = credential_in(headers)
        if not credential:
            return _allowed(self._nobody(), scope)
        try:
            return _allowed(await self._learned(credential), scope)
        except ApiError as error:
            if self._anonymous is None or self._is_ours(credential) or error.status == 403:
                raise
        return _allowed(self._anonymous, scope)

    def _is_ours(self, credential: bytes) -> bool:
        """Whether it means to be a key of ours or a token that we would accept."""
        token = self._tokens is not None and credential.count(b".") == 2
        return token or credential.startswith(_OURS)

    def _nobody(self) -> Principal:
        if self._anonymous is not None:
            return self._anonymous
        raise errors.invalid_api_key(
            "No API key was given: send it as `Authorization: Bearer mk-...`."
        )

    def _known(self, credential: bytes) -> Principal | None:
        if self._tokens is not None and credential.count(b".") == 2:
            return self._tokens.known(credential)
        return self._keys.check(credential)

    async def _learned(self, credential: bytes) -> Principal:
        if self._tokens is not None and credential.count(b".") == 2:
            return await self._tokens.verify(credential)
        principal = self._keys.check(credential)
        if principal is not None:
            return principal
        try:
            await self._keys.look(credential)
        except DependencyUnavailable as error:
            raise errors.unavailable(f"The API key cannot be checked now: {error.what}.") from error
        principal = self._keys.check(credential)
        if principal is None:
            raise errors.invalid_api_key("The API key is wrong.")
        return principal


def _allowed(principal: Principal, scope: Scope) -> Principal:
    if scope not in principal.scopes:
        has = ", ".join(sorted(principal.scopes)) or "none"
        raise errors.insufficient_scope(
            f"This needs the scope {scope}; the key {principal.key_id} has: {has}."
        )
    return principal
