"""Which requests a gateway without keys takes for those of a web page."""

import pytest

from modelium.gateway.access.origins import Origins, is_local
from modelium.gateway.edge.errors_http import ApiError

NAMES = ("models.example.com", "Box.Example.")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:8000", True),
        ("127.0.0.1", True),
        ("192.0.2.7:80", True),  # a rebound name stays in Host, so an address is nobody's name
        ("[::1]:8000", True),
        ("localhost:8000", True),
        ("LOCALHOST.", True),
        ("models.localhost", True),
        ("gateway:8000", True),  # a container
        ("", True),  # HTTP/1.0 without one: no browser
        ("models.example.com:8000", True),
        ("MODELS.example.com.", True),
        ("box.example", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("evillocalhost.example", False),
        ("localhost.evil.example", False),
        ("notmodels.example.com", False),
        ("[evil]", False),
        ("[::1", False),
        ("a:b:c", False),
    ],
)
def test_a_host_is_local(host: str, local: bool) -> None:
    names = {name.lower().rstrip(".") for name in NAMES}
    assert is_local(host, names) is local
    origins = Origins(NAMES)
    for _ in range(2):  # known the second time
        assert _lets_in(origins, (b"host", host.encode())) is local


@pytest.mark.parametrize(
    ("origin", "lets_in"),
    [
        (b"http://localhost:8000", True),  # our own page
        (b"https://LOCALHOST:8000", True),
        (b"http://localhost:3000", False),
        (b"http://localhost", False),
        (b"http://evil.example", False),
        (b"http://evil.example/localhost:8000", False),
        (b"null", False),
        (b"", False),
        (b"localhost:8000", False),
    ],
)
def test_an_origin_must_be_the_host(origin: bytes, lets_in: bool) -> None:
    headers = ((b"host", b"localhost:8000"), (b"origin", origin))
    assert _lets_in(Origins(()), *headers) is lets_in
    assert _lets_in(Origins(()), *reversed(headers)) is lets_in


def test_what_is_remembered_of_hosts_is_bounded() -> None:
    origins = Origins(())
    for port in range(2000):
        assert _lets_in(origins, (b"host", b"127.0.0.1:%d" % port))
    assert len(origins._known) <= 256


def _lets_in(origins: Origins, *headers: tuple[bytes, bytes]) -> bool:
    try:
        origins.check(list(headers))
    except ApiError as error:
        assert error.status == 403
        return False
    return True
