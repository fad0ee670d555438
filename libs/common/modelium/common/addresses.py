"""Addresses of servers as people may see them."""

import re
from typing import Final

_PASSWORD: Final = re.compile(r"(://[^/@\s:]*):[^/\s]*@|://([^/\s:]+)@")


def without_password(url: str) -> str:
    """`url` with `***` for its password; also for a lone word before the `@`, a NATS token."""
    return _PASSWORD.sub(_hidden, url)


def _hidden(found: re.Match[str]) -> str:
    return "://***@" if found[1] is None else f"{found[1]}:***@"
