"""Keeps web pages out of a gateway that asks for no key.

A page that somebody on this machine visits may send requests here, some without being asked first,
and a name that its owner points at this machine makes it the page's own server. A browser tells
both: by `Origin`, and by the name in `Host`.
"""

import re
from collections.abc import Collection
from ipaddress import ip_address
from typing import Final

from modelium.gateway.access.cors import Cors
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.call import Headers

_HOST: Final = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::\d*)?")
_MAX_KNOWN: Final = 256


class Origins:
    """Which hosts a gateway without keys answers as; `names`: those it has by the settings.

    Pages of the origins that `cors` allows are let in too.
    """

    def __init__(self, names: Collection[str], cors: Cors | None = None) -> None:
        self._cors = cors
        self._names = frozenset(name.lower().rstrip(".") for name in names)
        self._known: set[bytes] = set()

    def check(self, headers: Headers) -> None:
        """Let a request in that no page of another site can have sent.

        Raises:
            ApiError: 403.
        """
        host, origin = b"", None
        for name, value in headers:
            if name == b"host":
                host = value
            elif name == b"origin":
                origin = value
        if host not in self._known:
            self._learn(host)
        if origin is None or origin.partition(b"://")[2].lower() == host.lower():
            return
        if self._cors is None or not self._cors.allows(origin):
            raise errors.foreign_origin(origin.decode("latin-1"), host.decode("latin-1"))

    def _learn(self, host: bytes) -> None:
        text = host.decode("latin-1").strip()
        if not is_local(text, self._names):
            raise errors.foreign_host(text)
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known.add(host)


def is_local(host: str, names: Collection[str] = ()) -> bool:
    """Whether a `Host` is an address, one of `names`, or a name that no stranger can own."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    if found["v6"] is not None:
        return _is_address(found["v6"])
    name = found["name"].lower().rstrip(".")
    # Without a dot: `localhost`, or a machine or container of this network.
    near = "." not in name or name.endswith(".localhost")
    return near or name in names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
