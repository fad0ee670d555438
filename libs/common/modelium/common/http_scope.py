"""What the ASGI scopes of all requests of a connection have in common."""

import asyncio
from typing import Any, Final

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


def scope_of(transport: asyncio.Transport) -> dict[str, Any]:
    """The part that says where the connection comes from and leads to."""
    return {
        "type": "http",
        "asgi": _ASGI,
        "scheme": "http",
        "root_path": "",
        "server": _address(transport, "sockname"),
        "client": _address(transport, "peername"),
    }


def _address(transport: asyncio.Transport, which: str) -> tuple[str, int] | None:
    address = transport.get_extra_info(which)
    return (address[0], address[1]) if isinstance(address, tuple) else None
