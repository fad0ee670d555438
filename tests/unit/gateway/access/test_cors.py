"""Which sites can be let in."""

import pytest

from modelium.common.errors import SettingsError
from modelium.gateway.access.cors import cors_of


@pytest.mark.parametrize(
    "origin",
    [
        *("http://localhost:3000", "https://App.Example", "http://[::1]:8080"),
        *("app://obsidian.md", "chrome-extension://abcdef"),
    ],
)
def test_an_origin_is_allowed_however_it_is_spelled(origin: str) -> None:
    cors = cors_of([origin], opened=True)
    assert cors is not None
    assert cors.allows(origin.encode())
    assert cors.allows(origin.lower().encode())
    for other in (b"null", b"", b"*", origin.encode() + b"0", origin.partition("://")[2].encode()):
        assert not cors.allows(other)


@pytest.mark.parametrize(
    "origin",
    [
        "app.example",
        "https://app.example/",
        "https://app.example/a",
        "https://*",
        "null",
        "",
        "a b",
    ],
)
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"allowed_origins: expected .* not "):
        cors_of([origin], opened=False)


def test_all_sites_are_let_in_only_where_a_key_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="authentication: keys"):
        cors_of(["*"], opened=True)
    cors = cors_of(["*"], opened=False)
    assert cors is not None
    assert cors.allows(b"null")


def test_without_any_nothing_is_done() -> None:
    assert cors_of([], opened=True) is None
