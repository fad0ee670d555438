"""What the head of a request must be beyond what llhttp demands, and how an answer begins.

Pure. llhttp itself refuses, with 400: Content-Length beside Transfer-Encoding, several or malformed
ones of either, folded lines, bare CR or LF, white space before a colon, control bytes, bad chunk
sizes (`tests/contract/test_http_attacks.py` holds it to that). What is here is left to a server.
"""

import json
from functools import lru_cache
from http import HTTPStatus
from string import ascii_letters, digits
from typing import Final, NamedTuple
from urllib.parse import unquote

from modelium.common.errors import ModeliumError

Headers = list[tuple[bytes, bytes]]

_HOST_BYTES: Final = (ascii_letters + digits + "-._~%!$&'()*+,;=:[]").encode()
_LOOKED_AT: Final = frozenset({b"host", b"expect", b"transfer-encoding", b"content-length"})
_REFUSED_METHODS: Final = frozenset({b"CONNECT", b"TRACE"})
_OVERHEAD: Final = len(b": \r\n")
_CONTROL: Final = frozenset(map(chr, (*range(32), 127)))


class Refused(ModeliumError):
    """The server answers a request itself with this status, and closes the connection."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def answer(self, date_line: bytes) -> bytes:
        """The whole response, with an error object as OpenAI's."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        code = self.status.name.lower()
        error = {"message": self.message, "type": kind, "param": None, "code": code}
        body = json.dumps({"error": error}).encode()
        lines = b"content-type: application/json\r\nconnection: close\r\ncontent-length: "
        head = STATUS_LINES[self.status] + date_line + lines
        return b"%b%d\r\n\r\n%b" % (head, len(body), body)


class Head(NamedTuple):
    """What the server itself needs of a request's head."""

    path: str
    raw_path: bytes
    query: bytes
    expects_continue: bool
    framing: bytes
    """The header line that says how long the body is; empty without a body."""


def check(method: bytes, version: str, url: bytes, headers: Headers) -> Head:
    """Understand a head that llhttp let through; `headers` have lower-case names.

    Raises:
        Refused: nobody, or not everybody, would understand it in the same way.
    """
    if method in _REFUSED_METHODS:
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{method.decode()} is not served.")
    if version not in ("1.1", "1.0"):
        text = f"HTTP/{version} is not spoken here, only HTTP/1.1 and HTTP/1.0."
        raise Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, text)
    hosts, expects_continue, framing = 0, False, b""
    for name, value in headers:
        if name in _LOOKED_AT:
            if name == b"host":
                hosts += 1
                _check_host(value)
            elif name == b"expect":
                expects_continue = _check_expectation(value)
            else:
                framing = _framing(name, value, version)
    if hosts > 1 or (not hosts and version == "1.1"):
        raise _bad(f"There must be one Host header, not {hosts}.")
    path, raw_path, query = _split(method, url)
    return Head(path, raw_path, query, expects_continue and version == "1.1", framing)


def size_of(url: bytes, headers: Headers) -> int:
    """Bytes of the request line's target and the headers on the wire, about."""
    return len(url) + sum(len(name) + len(value) + _OVERHEAD for name, value in headers)


def _bad(message: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, message)


def _check_host(value: bytes) -> None:
    if value.strip(b" \t").translate(None, _HOST_BYTES):
        raise _bad("The Host header is not the name of a host.")


def _check_expectation(value: bytes) -> bool:
    if value.strip().lower() != b"100-continue":
        raise Refused(HTTPStatus.EXPECTATION_FAILED, "The only expectation met is 100-continue.")
    return True


def _framing(name: bytes, value: bytes, version: str) -> bytes:
    if name == b"transfer-encoding":
        if version == "1.0":
            # A proxy that speaks only 1.0 passes it on without knowing it.
            raise _bad("HTTP/1.0 has no Transfer-Encoding.")
        if value.strip().lower() != b"chunked":
            text = "The only Transfer-Encoding understood is chunked."
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, text)
    return b"%b: %b\r\n" % (name, value)


@lru_cache(maxsize=256)  # clients ask for a few paths, again and again
def _split(method: bytes, url: bytes) -> tuple[str, bytes, bytes]:
    if not url.startswith(b"/") and not (url == b"*" and method == b"OPTIONS"):
        raise _bad("The request target must be a path that begins with a slash.")
    if b"#" in url:
        raise _bad("The request target must not have a fragment.")
    raw_path, _, query = url.partition(b"?")
    path = raw_path.decode("ascii")
    if "%" in path:
        path = unquote(path)
        if not _CONTROL.isdisjoint(path):
            raise _bad("The path must not have control characters, encoded or not.")
    return path, raw_path, query


def _status_line(status: int) -> bytes:
    known = {s.value: s.phrase for s in HTTPStatus}
    return f"HTTP/1.1 {status} {known.get(status, '')}\r\n".encode()


STATUS_LINES: Final[dict[int, bytes]] = {status: _status_line(status) for status in range(200, 600)}
