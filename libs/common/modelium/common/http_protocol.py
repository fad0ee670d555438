"""The server's side of HTTP/1.1: llhttp's events in, exchanges out.

uvicorn listens, keeps the set of connections and stops them; this takes the place of its protocol,
which leaves slow, greedy and malicious clients to a proxy in front, and costs more per request.
"""

import asyncio
from http import HTTPMethod, HTTPStatus
from math import inf
from typing import Any, Final

import httptools

from modelium.common.http_connection import HttpConnection, Shared
from modelium.common.http_exchange import GONE_EXTENSION, Exchange
from modelium.common.http_head import Head, Headers, Refused, check, size_of
from modelium.common.http_limits import BODY_STEP_BYTES

_METHODS: Final = {method.encode(): str(method) for method in HTTPMethod}


class HttpProtocol(HttpConnection):
    """See the module."""

    def __init__(self, shared: Shared, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(shared, loop)
        self._parser = _new_parser(self)
        self._headers: Headers = []
        self._url = b""
        self._upgrade_framing = b""
        self._fed_bytes = 0  # since llhttp last reported something that is not kept here
        self._progressed = False
        self._body_bytes = 0
        self._next_body_bytes = 0

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._ended:
            return  # its sender is being left
        self._fed_bytes += len(data)
        if self._queue:
            self._behind_bytes += len(data)
        self._progressed = False
        try:
            self._feed(data)
            self._bound_what_is_kept()
        except Refused as refused:
            self.refuse_request(refused)
        else:
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        del self._parser  # it holds this object

    def _advance(self) -> None:
        if self._answering is None and self._queue:
            self._start_next()
        waited_for = self._receiving is not None and self._receiving is self._answering
        if waited_for and self._body_bytes >= self._next_body_bytes:
            self._next_body_bytes = self._body_bytes + BODY_STEP_BYTES
            self._read_deadline_s = self._loop.time() + self._limits.body_timeout_s
        if self._receiving is not None or self._queue:
            self._control_reading()

    # llhttp's calls.

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._in_head = True
        self._url = b""
        self._headers = []
        self._read_deadline_s = self._loop.time() + self._limits.header_timeout_s

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        self._url += url
        if len(self._url) > self._limits.max_url_bytes:
            raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG, "The request target is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the body a trailer, which nobody gets."""
        headers = self._headers
        headers.append((name.lower(), value))
        if len(headers) > self._limits.max_headers:
            raise _too_large("There are too many headers.")

    def on_headers_complete(self) -> None:
        """A request is there but for its body."""
        headers, self._headers = self._headers, []
        self._in_head = False
        self._progressed = True
        self._read_deadline_s = inf
        bound = self._limits.max_header_bytes
        if self._fed_bytes > bound and size_of(self._url, headers) > bound:
            raise _too_large("The headers are too large.")
        version, method = self._parser.get_http_version(), self._parser.get_method()
        head = check(method, version, self._url, headers)
        if self._parser.should_upgrade():
            self._upgrade_framing = head.framing
        exchange = Exchange(
            self,
            keep_alive=self._parser.should_keep_alive() and not self._upgrade_framing,
            expects_continue=head.expects_continue,
            is_head=method == b"HEAD",
            speaks_1_0=version == "1.0",
        )
        self._receiving = exchange
        self._body_bytes = self._next_body_bytes = 0
        self._queue.append((exchange, self._scope_for(method, version, head, headers, exchange)))
        if len(self._queue) > self._limits.max_pipelined:
            raise Refused(HTTPStatus.BAD_REQUEST, "Too many requests wait on this connection.")

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._progressed = True
        if self._receiving is not None:
            self._body_bytes += len(body)
            self._receiving.add_body(body)

    def on_message_complete(self) -> None:
        """The request is whole, unless llhttp skipped its body because it asks for an upgrade."""
        self._progressed = True
        if self._receiving is not None and not self._upgrade_framing:
            self._receiving.end_body()
            self._receiving = None
            # The client is done: from here on it waits for us, however long the answer takes.
            self._read_deadline_s = inf

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            text = f"The request is not valid HTTP/1.1: {error}."
            raise Refused(HTTPStatus.BAD_REQUEST, text) from None

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Go on as if the request had not asked for another protocol, with its body in `rest`.

        llhttp takes nothing after such a request for HTTP. A new one is told how long the body is,
        and to skip what comes after it. Java's client asks so with every POST.
        """
        if self._upgrade_framing:
            self._parser = _new_parser(_BodyOf(self))
            framing, self._upgrade_framing = self._upgrade_framing, b""
            self._parser.feed_data(b"POST / HTTP/1.1\r\nconnection: close\r\n" + framing + b"\r\n")
        self._feed(rest)

    def _bound_what_is_kept(self) -> None:
        """Until llhttp reports something it keeps what it is fed: of a head, trailer, extension."""
        if self._progressed:
            self._fed_bytes = 0
        elif self._fed_bytes > self._limits.max_header_bytes:
            raise _too_large("The headers, trailers or chunk extensions are too large.")

    def _scope_for(
        self, method: bytes, version: str, head: Head, headers: Headers, exchange: Exchange
    ) -> dict[str, Any]:
        scope = self._scope.copy()
        scope["http_version"] = version
        scope["method"] = _METHODS.get(method) or method.decode("ascii")
        scope["path"] = head.path
        scope["raw_path"] = head.raw_path
        scope["query_string"] = head.query
        scope["headers"] = headers
        scope["extensions"] = {GONE_EXTENSION: exchange.on_gone}
        return scope


class _BodyOf:
    """Passes on a body and its end, and keeps to itself the head that was made up for it."""

    def __init__(self, protocol: HttpProtocol) -> None:
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete
        self.on_header = protocol.on_header


def _new_parser(callbacks: object) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(callbacks)
    # What comes after a request with `Connection: close` is skipped: an error could spoil the
    # answer to that request.
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _too_large(message: str) -> Refused:
    return Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)
