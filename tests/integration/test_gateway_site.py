"""The page at /ui as files: what is sent, how long it may be kept, what it may load."""

import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from fastapi import FastAPI

from modelium.gateway.pages.answers import tell_errors
from modelium.gateway.pages.site import give_site, read_site, router
from tests.integration.gateway_rig import gateway_with_keys, running_gateway

SCRIPT = b"console.log(1)" * 50


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(b"<!doctype html>")
    (tmp_path / "assets" / "main-1a2b.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "main-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / ".sources").write_text("a hash")
    return tmp_path


@dataclass
class Pages:
    """The routes of the page on a port."""

    app: FastAPI
    url: str
    http: aiohttp.ClientSession


@pytest.fixture
async def pages(built: Path) -> AsyncIterator[Pages]:
    app = FastAPI()
    app.include_router(router)
    tell_errors(app)
    give_site(app, read_site(built))
    async with running_gateway() as rig:
        yield Pages(app, rig.serve(app), rig.http)


async def test_the_page_may_load_nothing_of_others(pages: Pages) -> None:
    async with pages.http.get(pages.url + "/ui") as answer:
        assert (answer.status, await answer.read()) == (200, b"<!doctype html>")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/ui/", "/ui/models/llama-3.1-8b", "/ui/../../etc/passwd"])
async def test_a_path_that_is_no_file_is_the_pages_own(pages: Pages, path: str) -> None:
    async with pages.http.get(pages.url + path) as answer:
        told = (answer.status, await answer.read())
        assert told == (200, b"<!doctype html>") or answer.status == 404
        assert b"root:" not in told[1]


async def test_a_file_is_sent_compressed_once_and_then_known(pages: Pages) -> None:
    url = pages.url + "/ui/assets/main-1a2b.js"
    async with pages.http.get(url, headers={"accept-encoding": "gzip, br"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert "immutable" in answer.headers["cache-control"]
        assert await answer.read() == SCRIPT  # as the client has unpacked it
        tag = answer.headers["etag"]
    known = {"accept-encoding": "gzip", "if-none-match": tag}
    async with pages.http.get(url, headers=known) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    async with pages.http.get(url, headers={"accept-encoding": "identity"}) as answer:
        assert "content-encoding" not in answer.headers
        assert answer.headers["etag"] != tag


async def test_a_file_that_is_not_there_is_no_page(pages: Pages) -> None:
    for path in ("/ui/assets/main-of-yesterday.js", "/ui/assets/"):
        async with pages.http.get(pages.url + path) as answer:
            assert answer.status == 404


async def test_without_a_build_it_says_how_to_get_one(pages: Pages, tmp_path: Path) -> None:
    give_site(pages.app, read_site(tmp_path / "nothing"))
    async with pages.http.get(pages.url + "/ui") as answer:
        assert answer.status == 404
        assert "scripts/build-ui" in (await answer.json())["error"]["message"]


async def test_a_gateway_with_keys_shows_the_page_without_one() -> None:
    """Whether it was built or not."""
    async with gateway_with_keys() as rig, rig.http.get(rig.url + "/ui") as answer:
        assert answer.status in (200, 404)
        assert answer.status == 200 or "scripts/build-ui" in await answer.text()


async def test_a_browser_at_the_address_alone_is_sent_to_the_page() -> None:
    accept = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with running_gateway() as rig:
        async with rig.http.get(rig.url, headers=accept, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["location"]) == (307, "/ui")
        async with rig.http.get(rig.url) as answer:
            assert (await answer.json())["ui"] == "/ui"
