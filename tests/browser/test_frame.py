"""The frame of the page: who gets in, what a key is offered, and how it lives through a break."""

import pytest
from playwright.async_api import Browser, expect

from modelium.common.api_keys import Scope
from modelium.common.records import ModelState
from tests.browser.pages import GIB, a_beat, a_gpu, an_engine, opened
from tests.integration.gateway_rig import gateway_with_keys, running_gateway
from tests.system import ROOT, free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = ("", "/models", "/models/qwen", "/requests", "/decisions", "/events", "/usage", "/keys")
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"


async def test_without_authentication_nobody_is_asked_for_a_key(browser: Browser) -> None:
    async with running_gateway() as rig, opened(browser, rig.url) as tab:
        await expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
        await expect(tab.connection()).to_have_text("live")


async def test_a_wrong_key_is_refused_and_a_right_one_lets_in(browser: Browser) -> None:
    async with gateway_with_keys() as rig, opened(browser, rig.url, "/models") as tab:
        await tab.sign_in({"authorization": "Bearer wrong"})
        await expect(tab.page.get_by_role("alert")).to_contain_text("key")
        await tab.sign_in(await rig.key())
        await expect(tab.page.get_by_role("link", name="qwen")).to_be_visible()
        await expect(tab.page.get_by_role("link", name="Requests")).to_have_count(0)
        await expect(tab.page.get_by_role("group", name="Actions for qwen")).to_have_count(0)
        assert await tab.page.evaluate("localStorage.length + document.cookie.length") == 0
        await tab.page.reload()
        await expect(tab.page.get_by_role("link", name="qwen")).to_be_visible()
        await tab.page.get_by_role("button", name="Sign out").click()
        await expect(tab.page.get_by_label("API key")).to_be_visible()


async def test_an_operators_key_is_offered_what_operators_do(browser: Browser) -> None:
    async with gateway_with_keys() as rig, opened(browser, rig.url, "/models") as tab:
        await tab.sign_in(await rig.key(scopes=(Scope.ADMIN,)))
        await expect(tab.page.get_by_role("group", name="Actions for qwen")).to_be_visible()
        await expect(tab.page.get_by_role("link", name="Requests")).to_be_visible()


async def test_a_key_that_is_revoked_signs_the_page_out(browser: Browser) -> None:
    async with gateway_with_keys() as rig, opened(browser, rig.url) as tab:
        header = await rig.key()
        await tab.sign_in(header)
        await expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
        for key in await rig.around.store.api_keys.all():
            await rig.around.store.api_keys.delete(key.key_id)
        await rig.access.keys.read()
        await tab.page.reload()
        await expect(tab.page.get_by_label("API key")).to_be_visible()


async def test_an_open_page_goes_on_when_its_gateway_comes_again(browser: Browser) -> None:
    """What changed meanwhile is there too."""
    port = free_port()
    async with opened(browser, f"http://127.0.0.1:{port}", None) as tab:
        async with running_gateway(port=port):
            await tab.go("/models")
            await expect(tab.page.get_by_role("row", name="qwen")).to_contain_text("unloaded")
        await expect(tab.connection()).to_have_text("reconnecting …")
        async with running_gateway(port=port) as rig:
            await rig.become(state=ModelState.ERROR, reason="the engine has ended")
            await expect(tab.page.get_by_role("row", name="qwen")).to_contain_text("has ended")
            await expect(tab.connection()).to_have_text("live")


async def test_every_page_fits_a_narrow_screen(browser: Browser) -> None:
    narrow = {"width": 390, "height": 844}
    async with running_gateway() as rig, opened(browser, rig.url, viewport=narrow) as tab:
        await rig.around.bus.publish(
            a_beat([a_gpu()], [an_engine("qwen", "gpu-0", reserved=9 * GIB, resident=8 * GIB)])
        )
        await rig.become("a-model-with-a-name-that-is-as-long-as-names-of-models-often-are-70b-awq")
        for path in PATHS:
            await tab.go(path)
            await expect(tab.page.get_by_role("heading", level=1)).to_be_visible()
            await expect(tab.page.get_by_text("Loading …")).to_have_count(0)
            width = await tab.page.evaluate("document.documentElement.scrollWidth")
            assert width <= 390, path
            here = tab.page.get_by_role("navigation").locator("[aria-current=page]")
            await expect(here).to_be_in_viewport(ratio=0.9)


async def test_no_page_keeps_people_out(browser: Browser) -> None:
    """By axe: nothing serious or worse, in either colours."""
    async with running_gateway() as rig, opened(browser, rig.url) as tab:
        await rig.become("broken", state=ModelState.ERROR, reason="the engine has ended")
        await rig.around.bus.publish(
            a_beat([a_gpu()], [an_engine("qwen", "gpu-0", reserved=9 * GIB, resident=8 * GIB)])
        )
        for path in PATHS:
            await tab.go(path)
            await expect(tab.page.get_by_role("heading", level=1)).to_be_visible()
            await expect(tab.page.get_by_text("Loading …")).to_have_count(0)
            await tab.page.evaluate(AXE.read_text())
            for theme in ("light", "dark"):
                await tab.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
                await expect(tab.page.locator(f"html[data-theme={theme}]")).to_be_attached()
                found = await tab.page.evaluate("axe.run({ resultTypes: ['violations'] })")
                bad = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
                assert not [(path, theme, v["id"], v["nodes"][0]["html"]) for v in bad]


async def test_a_keyboard_reaches_the_page_and_its_parts(browser: Browser) -> None:
    async with running_gateway() as rig, opened(browser, rig.url, "/models/qwen") as tab:
        await expect(tab.page.get_by_role("heading", name="qwen")).to_be_visible()
        await tab.page.keyboard.press("Tab")
        await expect(tab.page.get_by_text("Skip to the page")).to_be_focused()
        await tab.page.keyboard.press("Enter")
        await expect(tab.page.get_by_role("main")).to_be_focused()
        await tab.page.get_by_role("tab", name="Try it").focus()
        await tab.page.keyboard.press("ArrowRight")
        await expect(tab.page.get_by_role("tab", name="Activity")).to_be_focused()
        await expect(tab.page.get_by_role("heading", name="What happened")).to_be_visible()
