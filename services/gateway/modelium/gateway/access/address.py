"""Whether the gateway may listen where it is told to."""

from ipaddress import ip_address
from typing import Final

from modelium.common.errors import SettingsError
from modelium.common.settings_gateway import Authentication, Gateway

_NO_KEY: Final = (
    "gateway.host is {host!r}, which other machines may reach, and there is no key yet. "
    "Make one while Redis runs: `modelium keys create --scope admin`. Where `make up` runs Redis, "
    "start it on loopback for that: `MODELIUM_GATEWAY__HOST=127.0.0.1 make up DETACH=1`, then "
    "`.venv/bin/modelium keys create --scope admin`, `make down`, `make up`. Or let everybody in: "
    "gateway.authentication: none (MODELIUM_GATEWAY__AUTHENTICATION=none)."
)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_open(settings: Gateway) -> bool:
    """Whether requests without a key are let in."""
    if settings.authentication is Authentication.AUTO:
        return is_loopback(settings.host)
    return settings.authentication is Authentication.NONE


def check_address(settings: Gateway, *, keys: int) -> None:
    """Raise SettingsError where every request needs a key and nobody can have one.

    `keys` is how many count now.
    """
    if is_open(settings) or is_loopback(settings.host) or keys or settings.oidc.issuer:
        return
    raise SettingsError((_NO_KEY.format(host=settings.host),))
