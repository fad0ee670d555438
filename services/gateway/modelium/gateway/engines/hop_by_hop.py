"""Headers that concern one connection, and not the message: they are not passed on. Pure."""

from typing import Final

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_USUAL: Final = frozenset({b"keep-alive", b"close"})


def named_in(connection: bytes) -> frozenset[bytes]:
    """The headers that one `connection` header says are for this one connection only."""
    return frozenset(token.strip().lower() for token in connection.split(b",")) - _USUAL
