"""Lets pages of other sites use the gateway from a browser: CORS, as the Fetch standard says.

Only for the origins in `gateway.allowed_origins`. A browser asks without a key first (a preflight),
and shows a page only answers that name its origin. No cookies: who asks is said by a key.
"""

import re
from collections.abc import Collection
from typing import Final

from modelium.common.errors import SettingsError
from modelium.gateway.edge.call import Event, Headers, Scope, Send

_EVERY: Final = "*"
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s,*]+")
_OURS: Final = b"access-control-"
_ASKED_METHOD: Final = b"access-control-request-method"
_ASKED_HEADERS: Final = b"access-control-request-headers"
_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_MAX_AGE_S: Final = b"7200"
"""Browsers ask again after two hours at most."""


def cors_of(origins: Collection[str], *, opened: bool) -> "Cors | None":
    """CORS for these origins; None without any. `opened`: no key is needed.

    Raises:
        SettingsError: one is none, or all are let in where no key keeps their pages out.
    """
    for origin in origins:
        if origin != _EVERY and _ORIGIN.fullmatch(origin.lower()) is None:
            text = (
                f"gateway.allowed_origins: expected * or an origin without a path, such as "
                f"https://app.example or http://localhost:3000, not {origin!r}"
            )
            raise SettingsError((text,))
    if opened and _EVERY in origins:
        text = (
            "gateway.allowed_origins: * would let the pages of all sites use this gateway, which "
            "asks for no key; name the origins, or set gateway.authentication: keys"
        )
        raise SettingsError((text,))
    return Cors(origins) if origins else None


class Cors:
    """The origins whose pages are let in."""

    def __init__(self, origins: Collection[str]) -> None:
        self._every = _EVERY in origins
        self._origins = frozenset(origin.lower().encode() for origin in origins)

    def allows(self, origin: bytes) -> bool:
        """Whether pages of this origin may use the gateway."""
        return self._every or origin.lower() in self._origins

    async def answered(self, scope: Scope, send: Send) -> bool:
        """Answer a preflight of an allowed origin; whether this was one."""
        if scope["method"] != "OPTIONS":
            return False
        asked = {name: value for name, value in scope["headers"] if name.startswith(_OURS)}
        origin = _origin_in(scope["headers"])
        if origin is None or not self.allows(origin) or _ASKED_METHOD not in asked:
            return False
        headers = [
            *self._named(origin),
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-max-age", _MAX_AGE_S),
        ]
        if _ASKED_HEADERS in asked:
            # `*` would leave Authorization out.
            headers.append((b"access-control-allow-headers", asked[_ASKED_HEADERS]))
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return True

    def telling(self, headers: Headers, send: Send) -> Send:
        """`send` for the request with these headers: its answer says whose pages may read it.

        Engines say so too, of themselves: that is taken out.
        """
        origin = _origin_in(headers)
        if origin is None:
            return send
        ours = self._named(origin) if self.allows(origin) else [(b"vary", b"Origin")]

        async def told(event: Event) -> None:
            if event["type"] == "http.response.start":
                kept = [h for h in event["headers"] if not h[0].lower().startswith(_OURS)]
                event["headers"] = [*kept, *ours]
            await send(event)

        return told

    def _named(self, origin: bytes) -> Headers:
        return [
            (b"access-control-allow-origin", b"*" if self._every else origin),
            (b"access-control-expose-headers", b"*"),
            (b"vary", b"Origin"),
        ]


def _origin_in(headers: Headers) -> bytes | None:
    for name, value in headers:
        if name == b"origin":
            return value
    return None
