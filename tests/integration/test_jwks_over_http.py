"""The identity provider's keys, fetched from a real HTTP server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from modelium.common.clock import SystemClock
from modelium.common.errors import DependencyUnavailable
from modelium.common.http_server import bind, serve_http
from modelium.gateway.access.jwks import Jwks, fetch_over_http


@asynccontextmanager
async def serving(status: int, body: bytes) -> AsyncIterator[str]:
    """A server that always answers this, and its address."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    bound = bind("127.0.0.1", 0, setting="test")
    port = bound.getsockname()[1]
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve_http(app, bound))
        await _listens(port)
        yield f"http://127.0.0.1:{port}/jwks.json"
        task.cancel()


async def _listens(port: int) -> None:
    """Wait until it does; pytest's timeout is the bound."""
    while True:
        with suppress(ConnectionRefusedError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await SystemClock().sleep(0.01)


async def test_keys_are_found_by_their_id() -> None:
    key = rsa.generate_private_key(65537, 2048).public_key()
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True) | {"kid": "one", "alg": "RS256"}
    async with serving(200, json.dumps({"keys": [jwk]}).encode()) as url:
        keys = Jwks(fetch_over_http(url), SystemClock())
        found = await keys.find("one")
        assert found is not None
        assert found.key_id == "one"
        assert await keys.find(None) is found
        assert await keys.find("two") is None


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"{}"), (200, b"not JSON"), (200, b"[]"), (200, b"{}"), (200, b'{"keys": []}')],
)
async def test_what_is_no_set_of_keys_is_told(status: int, body: bytes) -> None:
    async with serving(status, body) as url:
        with pytest.raises(DependencyUnavailable, match=r"gateway\.oidc\.jwks_url"):
            await Jwks(fetch_over_http(url), SystemClock()).find("one")


async def test_a_provider_that_is_not_there_is_told() -> None:
    keys = Jwks(fetch_over_http("http://127.0.0.1:1/jwks.json"), SystemClock())
    with pytest.raises(DependencyUnavailable, match="cannot be had"):
        await keys.find("one")
