"""One browser for all tests of a file: each has a context of its own in it."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.pages import chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Tests that use it run in the loop of their module."""
    async with chromium() as running:
        yield running
