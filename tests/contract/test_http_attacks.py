"""What is not plain HTTP: refused and the connection closed, or understood in one way only.

Every row is followed by an innocent second request on the same connection. A row that is refused
gets one answer, and the application sees neither request: nothing in it can be taken for a request
of somebody else by us while a proxy before us took it for a body, or the other way round.
"""

from typing import NamedTuple

import pytest

from tests.http_rig import CLOSING, Recorder, connected, serving


class Row(NamedTuple):
    name: str
    lines: tuple[bytes, ...]
    body: bytes
    statuses: tuple[int, ...]
    reason: str


HOST = b"Host: x"
CHUNKED = b"Transfer-Encoding: chunked"
POST = b"POST /first HTTP/1.1"
GET = b"GET /first HTTP/1.1"
END = b"0\r\n\r\n"
BAD, GOOD = (400,), (200, 200)

ROWS = [
    # How long is the body?
    Row("cl+te", (POST, HOST, b"Content-Length: 5", CHUNKED), END, BAD, "CL.TE smuggling"),
    Row("te+cl", (POST, HOST, CHUNKED, b"Content-Length: 5"), END, BAD, "TE.CL smuggling"),
    Row("two cl", (POST, HOST, *2 * [b"Content-Length: 5"]), b"hello", BAD, "which one counts?"),
    Row("cl list", (POST, HOST, b"Content-Length: 5, 5"), b"hello", BAD, "first or last?"),
    Row("cl +5", (POST, HOST, b"Content-Length: +5"), b"hello", BAD, "strtol takes it"),
    Row("cl -5", (POST, HOST, b"Content-Length: -5"), b"hello", BAD, "wraps around"),
    Row("cl 0x5", (POST, HOST, b"Content-Length: 0x5"), b"hello", BAD, "5 or 0"),
    Row("cl empty", (POST, HOST, b"Content-Length:"), b"", BAD, "0 or until close"),
    Row("cl 5 5", (POST, HOST, b"Content-Length: 5 5"), b"hello", BAD, "5 or 55"),
    Row("cl huge", (POST, HOST, b"Content-Length: " + b"9" * 24), b"", BAD, "overflows"),
    Row("cl 005", (POST, HOST, b"Content-Length: 005"), b"hello", GOOD, "digits, decimal"),
    Row("cl space", (POST, HOST, b"Content-Length: 5 "), b"hello", GOOD, "OWS is no part of it"),
    Row("no length", (POST, HOST), b"", GOOD, "a request without either has no body"),
    Row("te identity", (POST, HOST, b"Transfer-Encoding: identity"), END, (501,), "no framing"),
    Row("te last", (POST, HOST, CHUNKED + b", identity"), END, BAD, "chunked must be last"),
    Row("te gzip", (POST, HOST, b"Transfer-Encoding: gzip, chunked"), END, (501,), "not decoded"),
    Row("te xchunked", (POST, HOST, b"Transfer-Encoding: xchunked"), END, (501,), "substring"),
    Row("te \\v", (POST, HOST, b"Transfer-Encoding: \x0bchunked"), END, BAD, "TE.TE smuggling"),
    Row("te twice", (POST, HOST, CHUNKED, b"Transfer-Encoding: x"), END, BAD, "TE.TE smuggling"),
    Row("te_", (POST, HOST, b"Transfer_Encoding: chunked"), b"", GOOD, "just another name"),
    Row("te space", (POST, HOST, b"Transfer-Encoding : chunked"), END, BAD, "TE.TE smuggling"),
    Row("te CHUNKED", (POST, HOST, b"Transfer-Encoding: CHUNKED"), END, GOOD, "any case"),
    Row("te 1.0", (b"POST /first HTTP/1.0", HOST, CHUNKED), END, BAD, "a 1.0 proxy sees no TE"),
    Row("te get", (GET, HOST, CHUNKED), b"1\r\na\r\n" + END, GOOD, "a GET may have a body"),
    # Chunks.
    Row("zz", (POST, HOST, CHUNKED), b"zz\r\n", BAD, "not hexadecimal"),
    Row("-1", (POST, HOST, CHUNKED), b"-1\r\n" + END, BAD, "wraps around"),
    Row("0x5", (POST, HOST, CHUNKED), b"0x5\r\nhello\r\n" + END, BAD, "strtol takes it"),
    Row("chunk huge", (POST, HOST, CHUNKED), b"f" * 17 + b"\r\n", BAD, "overflows"),
    Row("no size", (POST, HOST, CHUNKED), b"\r\nhello\r\n" + END, BAD, "0 or missing"),
    Row("5 space", (POST, HOST, CHUNKED), b"5 \r\nhello\r\n" + END, BAD, "no white space there"),
    Row("5 lf", (POST, HOST, CHUNKED), b"5\nhello\r\n" + END, BAD, "lines end with CR LF"),
    Row("data lf", (POST, HOST, CHUNKED), b"5\r\nhello\n" + END, BAD, "lines end with CR LF"),
    Row("too long", (POST, HOST, CHUNKED), b"5\r\nhelloX" + END, BAD, "longer than announced"),
    Row("ext", (POST, HOST, CHUNKED), b"5;a=b\r\nhello\r\n" + END, GOOD, "skipped, to its CR LF"),
    Row("ext lf", (POST, HOST, CHUNKED), b"5;a\nhello\r\n" + END, BAD, "TERM.EXT smuggling"),
    Row("trailer", (POST, HOST, CHUNKED), b"0\r\nX-Key: 1\r\n\r\n", GOOD, "dropped"),
    Row("trailer cl", (POST, HOST, CHUNKED), b"0\r\nContent-Length: 9\r\n\r\n", BAD, "framing"),
    # Lines.
    Row("fold", (GET, HOST, b"X: a", b" b"), b"", BAD, "obs-fold: one header or two?"),
    Row("fold tab", (GET, HOST, b"X: a", b"\tb"), b"", BAD, "obs-fold"),
    Row("fold te", (POST, HOST, b"Transfer-Encoding:", b" chunked"), END, BAD, "obs-fold hides it"),
    Row("fold first", (GET, b" X: a", HOST), b"", BAD, "belongs to the request line?"),
    Row("lf", (GET, b"Host: x\nX: 1"), b"", BAD, "one header or two?"),
    Row("cr", (GET, b"Host: x\rX: 1"), b"", BAD, "one header or two?"),
    Row("cr cr", (GET, HOST, b"X: a\r\rb"), b"", BAD, "bare CR"),
    Row("space colon", (GET, b"Host : x"), b"", BAD, "a name with a space, or Host?"),
    Row("tab colon", (GET, b"Host\t: x"), b"", BAD, "a name with a tab, or Host?"),
    Row("no name", (GET, HOST, b": x"), b"", BAD, "no name"),
    Row("no colon", (GET, HOST, b"foo"), b"", BAD, "not a header"),
    Row("nul", (GET, HOST, b"X: a\x00b"), b"", BAD, "ends a C string"),
    Row("control", (GET, HOST, b"X: a\x01b"), b"", BAD, "control byte"),
    Row("del", (GET, HOST, b"X: a\x7fb"), b"", BAD, "control byte"),
    Row("nul name", (GET, HOST, b"X\x00: a"), b"", BAD, "ends a C string"),
    Row("obs-text", (GET, HOST, b"X: \xc3\xa9"), b"", GOOD, "opaque, passed on as it is"),
    # The request line.
    Row("absolute", (b"GET http://evil/first HTTP/1.1", HOST), b"", BAD, "which host counts?"),
    Row("authority", (b"GET evil:80 HTTP/1.1", HOST), b"", BAD, "for CONNECT only"),
    Row("star", (b"GET * HTTP/1.1", HOST), b"", BAD, "for OPTIONS only"),
    Row("fragment", (b"GET /first#x HTTP/1.1", HOST), b"", BAD, "never sent by a client"),
    Row("nul url", (b"GET /a\x00b HTTP/1.1", HOST), b"", BAD, "ends a C string"),
    Row("%00", (b"GET /a%00b HTTP/1.1", HOST), b"", BAD, "ends a C string behind us"),
    Row("%0d%0a", (b"GET /a%0d%0ab HTTP/1.1", HOST), b"", BAD, "splits a line behind us"),
    Row("utf-8", (b"GET /\xc3\xa9 HTTP/1.1", HOST), b"", BAD, "must be encoded"),
    Row("space url", (b"GET /a b HTTP/1.1", HOST), b"", BAD, "where does it end?"),
    Row("0.9", (b"GET /first",), b"", (505,), "no version: no headers, no status"),
    Row("2.0", (b"GET /first HTTP/2.0", HOST), b"", (505,), "not that way"),
    Row("1.2", (b"GET /first HTTP/1.2", HOST), b"", BAD, "there is none"),
    Row("preface", (b"PRI * HTTP/2.0",), b"SM\r\n\r\n", BAD, "HTTP/2 with prior knowledge"),
    Row("tab", (b"GET\t/first HTTP/1.1", HOST), b"", BAD, "a space separates"),
    Row("lower case", (b"get /first HTTP/1.1", HOST), b"", BAD, "methods are case-sensitive"),
    Row("unknown", (b"FOO /first HTTP/1.1", HOST), b"", BAD, "not a method"),
    Row("connect", (b"CONNECT a:80 HTTP/1.1", HOST), b"", (405,), "no tunnel through us"),
    Row("trace", (b"TRACE /first HTTP/1.1", HOST), b"", (405,), "would show cookies"),
    Row("empty lines", (b"", b"", GET, HOST), b"", GOOD, "allowed before a request"),
    # Who is meant?
    Row("no host", (GET,), b"", BAD, "required by HTTP/1.1"),
    Row("two hosts", (GET, HOST, b"Host: y"), b"", BAD, "which one counts?"),
    Row("host path", (GET, b"Host: a/b@c"), b"", BAD, "not a host"),
    Row("host port", (GET, b"Host: [::1]:80"), b"", GOOD, "an address and a port"),
    # Other protocols.
    Row("ws", (GET, HOST, b"Connection: Upgrade", b"Upgrade: websocket"), b"", GOOD, "ignored"),
    Row("expect", (POST, HOST, b"Expect: more", b"Content-Length: 0"), b"", (417,), "unknown"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_request_is_understood_in_one_way(row: Row) -> None:
    app = Recorder()
    payload = b"".join(line + b"\r\n" for line in row.lines) + b"\r\n" + row.body
    async with serving(app) as port, connected(port) as wire:
        await wire.send(payload + CLOSING)
        found = await wire.answers()
    assert tuple(answer.status for answer in found) == row.statuses, row.reason
    assert all(answer.whole for answer in found)
    assert app.paths() == (["/first", "/second"] if row.statuses == GOOD else [])
