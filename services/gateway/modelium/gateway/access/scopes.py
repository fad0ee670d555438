"""Which scope a path of the cold routes needs; pure."""

from typing import Final

from modelium.common.api_keys import Scope

_OPEN: Final = frozenset({"/", "/health", "/openapi.json", "/v2", "/v2/health/live"})
_OPEN_BELOW: Final = ("/docs", "/ui")
_ADMIN: Final = "/admin/"
_USAGE: Final = "/admin/usage"
"""Everybody may see what their own organisation has used."""


def needed_scope(path: str) -> Scope | None:
    """The scope, or None for what everybody may see."""
    if path in _OPEN or path.startswith(_OPEN_BELOW):
        return None
    return Scope.ADMIN if path.startswith(_ADMIN) and path != _USAGE else Scope.READ
