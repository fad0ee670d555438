"""Whether the gateway may listen where it is told to."""

from ipaddress import ip_address

from modelium.common.errors import SettingsError
from modelium.common.settings_gateway import Authentication, Gateway


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
    raise SettingsError(
        (
            f"gateway.host is {settings.host!r}, which other machines may reach, and there is no "
            "key yet: make one with `modelium keys create`; or set gateway.authentication: none "
            "to let everybody in, or gateway.host: 127.0.0.1",
        )
    )
