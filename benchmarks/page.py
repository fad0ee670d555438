"""The page at /ui in Chromium: its weight, when it shows something, what it holds after a while.

Run by `make bench-page`. A gateway in this process serves it, with 100 models on 8 devices whose
figures all change every second. Prints a table; nothing is compared, because no other page shows
the same.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from playwright.async_api import Browser, CDPSession, Page

from benchmarks.report import show, table
from modelium.common.records import ModelState
from tests.browser.pages import GIB, a_beat, a_gpu, an_engine, chromium
from tests.integration.gateway_rig import Rig, running_gateway

MODELS, DEVICES = 100, 8
PAINT_REPEATS = 5
SETTLE_S = 60.0
"""Before memory is first measured: ten minutes of figures are kept, and the first fill the most."""
WATCH = """
window.tasks = [];
new PerformanceObserver(list => tasks.push(...list.getEntries().map(e => e.duration)))
  .observe({ type: "longtask", buffered: true });
new MutationObserver((_, watch) => {
  if (!document.querySelector("[data-engine]")) return;
  watch.disconnect();
  requestAnimationFrame(() => { window.useful = performance.now(); });
}).observe(document, { childList: true, subtree: true });
"""


@dataclass(frozen=True)
class Held:
    """What the page holds, after a garbage collection."""

    heap_mb: float
    nodes: float


def names() -> list[str]:
    return [f"model-{n:03}" for n in range(MODELS - 1)]


async def change_everything(rig: Rig, turn: int) -> None:
    """One second's news: each model and each device is another."""
    for n, name in enumerate(names()):
        held = (turn + n) % 5 * GIB // 5 + GIB
        await rig.become(name, reserved_bytes=5 * GIB, resident_bytes=held)
    devices = [a_gpu(f"gpu-{n}", used_bytes=(40 + turn % 20) * GIB) for n in range(DEVICES)]
    engines = [
        an_engine(name, f"gpu-{n % DEVICES}", reserved=5 * GIB, resident=4 * GIB)
        for n, name in enumerate(names())
    ]
    await rig.around.bus.publish(a_beat(devices, engines))


@asynccontextmanager
async def busy_gateway() -> AsyncIterator[Rig]:
    """A gateway whose models and devices change every second."""
    async with running_gateway() as rig:
        for name in names():
            await rig.become(name, state=ModelState.LOADED, reason="", generation=1)

        async def go_on() -> None:
            turn = 0
            while True:
                await change_everything(rig, turn)
                await rig.around.clock.sleep(1)
                turn += 1

        rig.tasks.append(rig.group.create_task(go_on()))
        yield rig


@asynccontextmanager
async def opened(browser: Browser, url: str) -> AsyncIterator[tuple[Page, list[Any]]]:
    """The overview in a context without a cache, and what it fetches."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    fetched: list[Any] = []
    page.on("requestfinished", lambda request: fetched.append(request))
    await page.add_init_script(WATCH)
    await page.goto(f"{url}/ui")
    await page.wait_for_selector("[data-engine]")
    try:
        yield page, fetched
    finally:
        await context.close()


async def weight_bytes(fetched: list[Any]) -> tuple[int, int]:
    """Of the files as they are sent, and how many they are."""
    files = [request for request in fetched if "/ui" in request.url]
    sizes = [await request.sizes() for request in files]
    return sum(size["responseBodySize"] for size in sizes), len(files)


async def held(session: CDPSession) -> Held:
    await session.send("HeapProfiler.collectGarbage")
    told = (await session.send("Performance.getMetrics"))["metrics"]
    figures = {metric["name"]: metric["value"] for metric in told}
    return Held(figures["JSHeapUsedSize"] / 1e6, figures["Nodes"])


async def memory(browser: Browser, rig: Rig, minutes: float) -> tuple[Held, Held, list[float]]:
    """Early and at the end, with the table of models open; and the long tasks on the way."""
    async with opened(browser, rig.url) as (page, _):
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable")
        await page.get_by_role("link", name="Models").click()
        await rig.around.clock.sleep(SETTLE_S)
        early = await held(session)
        await page.evaluate("tasks.length = 0")
        await rig.around.clock.sleep(minutes * 60)
        return early, await held(session), await page.evaluate("tasks")


async def measure(minutes: float) -> None:
    async with chromium() as browser, busy_gateway() as rig:
        paints: list[float] = []
        weight = files = 0
        for _ in range(PAINT_REPEATS):
            async with opened(browser, rig.url) as (page, fetched):
                paints.append(await page.evaluate("useful"))
                weight, files = await weight_bytes(fetched)
        early, late, tasks = await memory(browser, rig, minutes)
    rows = [
        ("files of the first page, as sent", f"{weight / 1000:.0f} kB in {files}"),
        (
            "devices drawn after",
            f"{median(paints):.0f} ms ({min(paints):.0f} to {max(paints):.0f})",
        ),
        ("heap after 1 min", f"{show(early.heap_mb, 1)} MB, {show(early.nodes, 0)} nodes"),
        (f"{minutes:g} min later", f"{show(late.heap_mb, 1)} MB, {show(late.nodes, 0)} nodes"),
        (
            "tasks over 50 ms meanwhile",
            f"{len(tasks)}, longest {show(max(tasks, default=0), 0)} ms",
        ),
    ]
    print(f"{MODELS} models, {DEVICES} devices, all of them change every second")
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    print(table(("figure", "measured"), rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long memory is watched")
    asyncio.run(measure(parser.parse_args().minutes))


if __name__ == "__main__":
    main()
