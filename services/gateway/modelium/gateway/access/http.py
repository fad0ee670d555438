"""Who asks, for routes that FastAPI serves."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request

from modelium.common.api_keys import Scope
from modelium.gateway.access.assembly import Access
from modelium.gateway.access.principal import Principal


def give_access(app: FastAPI, access: Access) -> None:
    """Let the routes of `app` ask who asks."""
    app.state.access = access


def access_of(request: Request) -> Access:
    """A dependency: what `give_access` gave."""
    access: Access = request.app.state.access
    return access


def needs(scope: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: who asks, if `scope` is among what they may do.

    Raises:
        ApiError: 401, 403 or 503, as `Authenticator` does.
    """

    async def principal(request: Request) -> Principal:
        found = request.scope.get("state", {}).get("principal")
        if isinstance(found, Principal) and scope in found.scopes:
            return found
        authenticator = access_of(request).authenticator
        headers = request.scope["headers"]
        known = authenticator.authenticate(headers, scope)
        return known or await authenticator.authenticate_slowly(headers, scope)

    return principal
