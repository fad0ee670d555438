"""Devices and models as the page shows them, and what its buttons ask for."""

import pytest
from playwright.async_api import Browser, expect

from modelium.common.events import (
    AgentHeartbeat,
    Message,
    ModelPinRequested,
    ModelRequested,
    ModelRetryRequested,
    ModelSleepRequested,
    ModelUnloadRequested,
    SleepAsked,
)
from modelium.common.plans import SleepAnswer
from modelium.common.records import InstanceState, ModelState
from tests.browser.pages import GIB, Tab, a_beat, a_gpu, an_engine, opened
from tests.contract.buses import running
from tests.integration.gateway_rig import Rig, running_gateway, sleepy_tick

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODELS, DEVICES, ROUNDS = 100, 8, 5


async def widths(tab: Tab, device: str, selector: str) -> tuple[float, float]:
    """Of something in the device's bar, and of the bar itself, in pixels."""
    bar = tab.page.locator(f"[data-device={device}]")
    part = await bar.locator(selector).bounding_box()
    whole = await bar.bounding_box()
    assert part and whole
    return part["width"], whole["width"]


async def test_devices_and_what_they_hold_are_drawn_to_scale(browser: Browser) -> None:
    async with running_gateway() as rig, opened(browser, rig.url) as tab:
        big = a_gpu("gpu-0", total=72 * GIB, whole_bytes=80 * GIB, used_bytes=30 * GIB)
        small = a_gpu("gpu-1", total=40 * GIB, whole_bytes=40 * GIB, used_bytes=0, name="L40")
        awake = an_engine("qwen", "gpu-0", reserved=20 * GIB, resident=15 * GIB)
        asleep = an_engine(
            "bge", "gpu-0", reserved=4 * GIB, resident=2 * GIB, state=InstanceState.SLEEPING
        )
        await rig.become("bge", state=ModelState.SLEEPING)
        await rig.around.bus.publish(a_beat([big, small], [awake, asleep]))
        await expect(tab.page.locator("[data-engine='bge.1']")).to_be_visible()

        held, whole = await widths(tab, "gpu-0", "[data-engine='qwen.1']")
        assert held / whole == pytest.approx(20 / 80, abs=0.01)
        held, _ = await widths(tab, "gpu-0", "[data-engine='bge.1']")
        assert held / whole == pytest.approx(4 / 80, abs=0.01)
        resident, _ = await widths(tab, "gpu-0", "[data-engine='qwen.1'] [data-resident]")
        assert resident / whole == pytest.approx(15 / 80, abs=0.01)
        measured, _ = await widths(tab, "gpu-0", "[data-measured]")
        assert measured / whole == pytest.approx(30 / 80, abs=0.01)
        _, other = await widths(tab, "gpu-1", "[data-measured]")
        assert other / whole == pytest.approx(40 / 80, abs=0.01)
        text = tab.page.get_by_role("listitem").filter(has_text="NVIDIA H100 80GB").first
        await expect(text).to_contain_text("24 GiB reserved · 30 GiB measured · 48 GiB free")


async def test_the_table_follows_the_models_and_is_searched_and_sorted(browser: Browser) -> None:
    async with running_gateway() as rig, opened(browser, rig.url, "/models") as tab:
        rows = tab.page.get_by_role("row")
        await expect(rows).to_have_count(2)  # with the head
        await rig.become("bge", state=ModelState.ERROR, reason="exit code 1; tried again in 10 s")
        await expect(rows.filter(has_text="bge")).to_contain_text("exit code 1")
        await expect(rows.nth(1)).to_contain_text("bge")
        await tab.page.get_by_role("button", name="Model").click()
        await expect(rows.nth(1)).to_contain_text("qwen")
        await rig.become("bge", state=ModelState.LOADING, reason="", load_s=20.0, generation=2)
        await expect(tab.page.get_by_role("progressbar", name="Load of bge")).to_be_visible()
        await tab.page.get_by_label("Search models").fill("bg load")
        await expect(rows).to_have_count(2)
        await expect(tab.page.get_by_text("1 of 2 models")).to_be_visible()
        await rig.around.store.models.delete("bge")
        rig.gateway.updates.forget("bge")
        await expect(tab.page.get_by_text("No model matches.")).to_be_visible()


async def on_sleep_asked(_: SleepAsked) -> SleepAnswer:
    """Plays an orchestrator that lets everybody sleep."""
    return SleepAnswer()


async def press(rig: Rig, tab: Tab, button: str, kind: type[Message]) -> Message:
    """The message that pressing it has led to."""
    before = len(rig.around.bus.of(kind))
    await tab.page.get_by_role("button", name=f"{button} qwen", exact=True).click()
    await rig.until(lambda: len(rig.around.bus.of(kind)) > before)
    return rig.around.bus.of(kind)[-1]


async def test_each_button_says_on_the_bus_what_it_is_for(browser: Browser) -> None:
    async with running_gateway() as rig, opened(browser, rig.url, "/models/qwen") as tab:
        await press(rig, tab, "Load", ModelRequested)
        await expect(tab.page.get_by_text("qwen is asked for.")).to_be_visible()
        pin = await press(rig, tab, "Pin", ModelPinRequested)
        assert isinstance(pin, ModelPinRequested) and pin.pinned
        await rig.become(pinned=True)
        pin = await press(rig, tab, "Unpin", ModelPinRequested)
        assert isinstance(pin, ModelPinRequested) and not pin.pinned
        await rig.become(pinned=False, state=ModelState.ERROR, failures=2)
        await press(rig, tab, "Try again", ModelRetryRequested)
        _, url = await rig.engine()
        await rig.loaded(url)
        await press(rig, tab, "Unload", ModelUnloadRequested)
        await rig.around.bus.publish(sleepy_tick())
        async with running(rig.around.bus.answer({SleepAsked: on_sleep_asked})):
            await press(rig, tab, "Put to sleep", ModelSleepRequested)


async def test_a_refusal_is_told_in_the_gateways_words(browser: Browser) -> None:
    async with (
        running_gateway(pinned=["qwen"]) as rig,
        opened(browser, rig.url, "/models/qwen") as tab,
    ):
        await tab.page.get_by_role("button", name="Unpin qwen").click()
        await expect(tab.page.get_by_text("always_loaded")).to_be_visible()


def crowd(names: list[str]) -> AgentHeartbeat:
    """An agent whose devices share these models' engines."""
    devices = [a_gpu(f"gpu-{n}", used_bytes=60 * GIB) for n in range(DEVICES)]
    engines = [
        an_engine(name, f"gpu-{n % DEVICES}", reserved=5 * GIB, resident=4 * GIB)
        for n, name in enumerate(names)
    ]
    return a_beat(devices, engines)


async def test_a_hundred_models_on_eight_devices_are_followed(browser: Browser) -> None:
    """How long the page's longest task is, is printed: it depends on the machine."""
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:
        await tab.page.add_init_script(
            "window.tasks = []; new PerformanceObserver(list => tasks.push(...list.getEntries()"
            ".map(e => e.duration))).observe({ type: 'longtask', buffered: true })"
        )
        names = [f"model-{n:03}" for n in range(MODELS - 1)]
        for name in names:
            await rig.become(name, state=ModelState.LOADED, reason="", generation=1)
        await tab.go("/models")
        await expect(tab.page.get_by_role("row")).to_have_count(MODELS + 1)
        await tab.page.evaluate("tasks.length = 0")
        for turn in range(1, ROUNDS + 1):
            for name in names:
                await rig.become(name, resident_bytes=turn * GIB, reserved_bytes=8 * GIB)
            shown = tab.page.get_by_text(f"{turn} GiB resident")
            await expect(shown).to_have_count(MODELS - 1)
        print(f"long tasks in {ROUNDS} rounds: {await tab.page.evaluate('tasks')} ms")
        await tab.go("")
        await rig.around.bus.publish(crowd(names))
        await expect(tab.page.locator("[data-engine]")).to_have_count(len(names))
