"""Engines over HTTP by aiohttp: one pool for all of them, nothing decoded, nothing added."""

from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from modelium.gateway.edge.call import Call, Headers
from modelium.gateway.engines.upstream import EngineGone, Reply

_CONNECT_S: Final = 5.0
_IDLE_S: Final = 3.0
"""Less than the 5 s after which an engine closes an idle connection, so that it never does so just
when the next request is on its way."""
_MAX_URLS: Final = 4096

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NOT_FOR_ENGINES: Final = _HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"expect",
    b"x-request-id",
    # Secrets between the client and us.
    b"authorization",
    b"cookie",
    b"x-api-key",
}
_NOT_FOR_CLIENTS: Final = _HOP_BY_HOP | {b"date", b"server", b"x-request-id"}


class AiohttpUpstream:
    """Implements `upstream.Upstream`; enter it to open the pool."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[tuple[str, str], URL] = {}

    async def __aenter__(self) -> "AiohttpUpstream":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, endpoint: str, call: Call, request_id: str) -> Reply:
        """See `Upstream.send`."""
        assert self._session is not None, "enter it first"
        try:
            response = await self._session.request(
                "POST",
                self._url(endpoint, call.path),
                data=call.body,
                headers=_request_headers(call.headers, request_id),
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise EngineGone(_words(error), reached=False) from error
        except aiohttp.ClientError as error:
            raise EngineGone(_words(error), reached=True) from error
        return _AiohttpReply(response)

    def _url(self, endpoint: str, path: str) -> URL:
        url = self._urls.get((endpoint, path))
        if url is None:
            if len(self._urls) >= _MAX_URLS:
                self._urls.clear()
            url = self._urls[endpoint, path] = URL(endpoint + path, encoded=True)
        return url


class _AiohttpReply:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Headers = [
            (low, value)
            for name, value in response.raw_headers
            if (low := name.lower()) not in _NOT_FOR_CLIENTS
        ]

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except aiohttp.ClientError as error:
            raise EngineGone(_words(error), reached=True) from error

    def close(self) -> None:
        # Closes the connection only if the answer has not ended; else it is back in the pool.
        self._response.close()


def _request_headers(headers: Headers, request_id: str) -> CIMultiDict[str]:
    passed: CIMultiDict[str] = CIMultiDict()
    for name, value in headers:
        if name not in _NOT_FOR_ENGINES:
            passed.add(str(name, "latin-1"), str(value, "latin-1"))
    passed["x-request-id"] = request_id
    return passed


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
