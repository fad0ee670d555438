"""The page at /ui in a real Chromium, in front of a gateway that runs in the test's own loop."""

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

from modelium.common.events import AgentHeartbeat
from modelium.common.records import Device, Instance, InstanceState
from modelium.common.testing import a_device
from modelium.gateway.pages.site import BUILT

GIB = 1 << 30
PATIENCE_MS = 30_000
"""For what becomes true by itself; a busy machine takes its time."""
expect.set_options(timeout=PATIENCE_MS)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, or the one that MODELIUM_CHROMIUM names; the test is skipped without."""
    found = os.environ.get("MODELIUM_CHROMIUM") or shutil.which("chromium")
    if not found:
        pytest.skip("no chromium here; scripts/bootstrap --dev installs it")
    if not (BUILT / "index.html").is_file():
        pytest.skip("the page is not built; scripts/build-ui builds it")
    async with async_playwright() as playwright:
        # No sandbox: tests run as root. No GPU: there is none.
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=found, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Tab:
    """One page with what it complained about."""

    page: Page
    context: BrowserContext
    url: str
    errors: list[str] = field(default_factory=list)

    async def go(self, path: str = "") -> None:
        """Open a page of the application, `/models` for example."""
        await self.page.goto(f"{self.url}/ui{path}")

    def connection(self) -> Locator:
        """What the page says about its stream; one of the two that are there is hidden."""
        return self.page.get_by_role("status").filter(has_text=re.compile("live|connecting|NATS"))

    async def sign_in(self, header: dict[str, str]) -> None:
        """Give the key that this header carries."""
        await self.page.get_by_label("API key").fill(header["authorization"].split()[1])
        await self.page.get_by_role("button", name="Sign in").click()


@asynccontextmanager
async def opened(
    browser: Browser, url: str, path: str | None = "", **options: Any
) -> AsyncIterator[Tab]:
    """A tab of its own at this path of the gateway's page, or at none yet.

    An exception in the page fails the test.
    """
    settings = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
    context = await browser.new_context(**settings)
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    tab = Tab(page, context, url)
    page.on("pageerror", lambda error: tab.errors.append(str(error)))
    page.on("console", lambda said: tab.errors.append(said.text) if _is_ours(said.text) else None)
    if path is not None:
        await tab.go(path)
    try:
        yield tab
    finally:
        await context.close()
    assert not tab.errors


def _is_ours(said: str) -> bool:
    """Whether a line of the console tells of a fault in the page: its policy, or React's rules."""
    return "Content Security Policy" in said or "Warning:" in said or "React" in said


def an_engine(model: str, device: str, *, reserved: int, resident: int, **changes: Any) -> Instance:
    """A loaded engine that holds so much of a device."""
    fields = {
        "instance_id": f"{model}.1",
        "model": model,
        "agent_id": "gpu-node",
        "device_ids": (device,),
        "generation": 1,
        "state": InstanceState.LOADED,
        "reserved_bytes": reserved,
        "resident_bytes": resident,
    }
    return Instance.model_validate(fields | changes)


def a_gpu(device: str = "gpu-0", *, total: int = 80 * GIB, used: int = 0, **changes: Any) -> Device:
    """A GPU that the driver says this much of is used."""
    name = changes.pop("name", "NVIDIA H100 80GB")
    fields = {"device_id": device, "kind": "cuda", "name": name, "total_bytes": total}
    return a_device(**fields, free_bytes=total - used, **changes)


def a_beat(devices: list[Device], engines: list[Instance]) -> AgentHeartbeat:
    """What the agent says of them."""
    return AgentHeartbeat(
        agent_id="gpu-node", launcher="docker", devices=tuple(devices), instances=tuple(engines)
    )
