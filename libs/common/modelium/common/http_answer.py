"""How an answer is written: its lines and its framing; pure."""

from modelium.common.errors import ModeliumError
from modelium.common.http_head import STATUS_LINES


class InvalidAnswer(ModeliumError):
    """The application's answer cannot be written: it would mean something else to the client."""


def chunk(body: bytes, more: bool) -> tuple[bytes, ...]:
    """One part of a chunked body, and its end unless there is `more`."""
    last = b"" if more else b"0\r\n\r\n"
    return (b"%x\r\n" % len(body), body, b"\r\n", last) if body else (last,)


def length_of(value: bytes, before: int | None) -> int:
    """A `content-length`, which is the same as the one `before`, if any."""
    if not value.isdigit() or before not in (None, int(value)):
        raise InvalidAnswer("the Content-Length is not one number")
    return int(value)


def ending(*, chunked: bool, keep_alive: bool, announce: bool) -> bytes:
    """The last lines of a head: how the body is framed, and what becomes of the connection."""
    framing = b"transfer-encoding: chunked\r\n" if chunked else b""
    if not keep_alive:
        return framing + b"connection: close\r\n\r\n"
    return framing + (b"connection: keep-alive\r\n\r\n" if announce else b"\r\n")


def status_line(status: int) -> bytes:
    """The first line."""
    line = STATUS_LINES.get(status)
    if line is None:
        raise InvalidAnswer(f"{status} is not the status of an answer")
    return line


def lines(parts: list[bytes]) -> bytes:
    """The header lines that these parts make, four for each.

    With a line break or NUL in one, whoever had set it could write headers and answers.
    """
    lines, count = b"".join(parts), len(parts) // 4
    if lines.count(b"\n") != count or lines.count(b"\r") != count or b"\0" in lines:
        raise InvalidAnswer("there is a line break or NUL in a header")
    return lines
