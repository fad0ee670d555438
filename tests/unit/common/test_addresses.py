"""What is shown of an address."""

import pytest

from modelium.common.addresses import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://user:secret@host/0", "redis://user:***@host/0"),
        ("redis://user:a:b@host/0", "redis://user:***@host/0"),
        ("redis://user:p@ss@host/0", "redis://user:***@host/0"),
        ("nats://to@ken@host:4222", "nats://***@host:4222"),
        ("nats://token@host:4222", "nats://***@host:4222"),
        ("nats://u:p@one:4222,nats://u:p@two:4222", "nats://u:***@one:4222,nats://u:***@two:4222"),
        ("a text", "a text"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
