"""Where the gateway may listen, and whether it needs keys there."""

import pytest

from modelium.common.errors import SettingsError
from modelium.common.settings import Gateway
from modelium.common.settings_gateway import Authentication, Oidc
from modelium.gateway.access.address import check_address, is_open

AUTO, KEYS, NONE = Authentication.AUTO, Authentication.KEYS, Authentication.NONE


@pytest.mark.parametrize(
    ("host", "authentication", "open_"),
    [
        ("127.0.0.1", AUTO, True),
        ("localhost", AUTO, True),
        ("::1", AUTO, True),
        ("127.0.0.1", KEYS, False),
        ("0.0.0.0", AUTO, False),
        ("gateway.example", AUTO, False),
        ("0.0.0.0", NONE, True),
    ],
)
def test_whether_requests_without_a_key_are_let_in(
    host: str, authentication: Authentication, open_: bool
) -> None:
    assert is_open(Gateway(host=host, authentication=authentication)) is open_


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.example"])
@pytest.mark.parametrize("authentication", [AUTO, KEYS])
def test_an_address_that_others_reach_needs_a_key(
    host: str, authentication: Authentication
) -> None:
    settings = Gateway(host=host, authentication=authentication)
    with pytest.raises(SettingsError, match=r"modelium keys create.*gateway.authentication: none"):
        check_address(settings, keys=0)
    check_address(settings, keys=1)


@pytest.mark.parametrize(
    "settings",
    [
        Gateway(),
        Gateway(authentication=KEYS),
        Gateway(host="0.0.0.0", authentication=NONE),
        Gateway(host="0.0.0.0", oidc=Oidc(issuer="https://login.example")),
    ],
)
def test_these_need_none(settings: Gateway) -> None:
    check_address(settings, keys=0)
