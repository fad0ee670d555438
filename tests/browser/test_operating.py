"""The pages for operators: requests, decisions, usage, events and keys, and what is done there."""

import asyncio
import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from modelium.common.advice import BrainAsked, BrainStatus, Standing
from modelium.common.api_keys import Scope
from modelium.common.events import DecisionMade, ModelRequested
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.history import DecisionRecord
from tests.browser.pages import opened
from tests.integration.gateway_rig import Rig, gateway_with_keys, running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


def row(page: Page, text: str) -> Any:
    """The row of a table that has this text."""
    return page.get_by_role("row").filter(has_text=text)


async def a_chat(rig: Rig, name: str, model: str, **body: Any) -> tuple[int, str]:
    """What a client gets that calls its request so."""
    url = f"{rig.url}/v1/chat/completions"
    body = {"model": model, "messages": [], **body}
    async with rig.http.post(url, json=body, headers={"x-request-id": name}) as response:
        return response.status, await response.text()


async def test_requests_are_listed_and_ended_whether_they_wait_or_run(browser: Browser) -> None:
    async with running_gateway() as rig, opened(browser, rig.url, "/requests") as tab:
        page = tab.page
        await expect(page.get_by_text("No request waits.")).to_be_visible()
        stub, url = await rig.engine(model="busy", chunk_delay_s=0.02)
        await rig.become("busy", path="/models/busy")
        await rig.loaded(url, "busy")
        waits = asyncio.create_task(a_chat(rig, "in-line", "qwen"))
        runs = asyncio.create_task(a_chat(rig, "at-work", "busy", stream=True, max_tokens=10**6))
        await expect(row(page, "in-line")).to_contain_text("qwen")
        await expect(row(page, "at-work")).to_contain_text("/v1/chat/completions stream")

        await page.get_by_role("button", name="Cancel request in-line").click()
        status, told = await waits
        assert (status, "cancel" in told) == (503, True), told
        await expect(row(page, "in-line")).to_have_count(0)

        await page.get_by_role("button", name="Cancel request at-work").click()
        _, told = await runs
        assert '"error"' in told
        assert "[DONE]" not in told
        await rig.until(lambda: stub.running == 0)
        await expect(page.get_by_text("No request runs.")).to_be_visible()


async def test_requests_are_listed_though_each_answer_takes_its_time(browser: Browser) -> None:
    """Each was cut off by the next one, where a gateway had died or the line was slow."""
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:

        async def slowly(route: Route) -> None:
            await rig.around.clock.sleep(1.5)
            await route.continue_()

        await tab.page.route("**/admin/requests", slowly)
        await tab.go("/requests")
        waits = asyncio.create_task(a_chat(rig, "in-line", "qwen"))
        await expect(row(tab.page, "in-line")).to_contain_text("qwen")
        await tab.page.get_by_role("button", name="Cancel request in-line").click()
        assert (await waits)[0] == 503


def decided(number: int, **changes: Any) -> DecisionRecord:
    """One of the brain's, the later the higher its number."""
    fields = {
        "decision_id": f"d{number:03}",
        "made_at": datetime(2026, 5, 4, 10, number // 60, number % 60, tzinfo=UTC),
        "origin": "brain",
        "source": DecisionSource.LLM,
        "inputs_digest": "",
        "decisions": (
            Decision(model="qwen", action=DecidedAction.LOAD, reason=f"asked for {number} times"),
        ),
    }
    return DecisionRecord.model_validate(fields | changes)


async def test_decisions_show_what_was_wanted_and_which_rule_dropped_it(browser: Browser) -> None:
    evict = Decision(
        model="pinned",
        action=DecidedAction.EVICT,
        reason="it idles",
        confidence=0.75,
        dropped_by="it is always loaded",
    )
    stays = Decision(model="quiet", action=DecidedAction.KEEP, reason="")
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:
        page, history = tab.page, rig.around.store.history
        for number in range(60):
            await history.note_decision(decided(number))
        await history.note_decision(decided(60, decisions=(evict,)))
        await history.note_decision(
            decided(61, decisions=(stays,), source=DecisionSource.RULES, shadow=True)
        )
        standing = Standing(leader=DecisionSource.LLM, compared=7, regret_s=-1.25)
        status = BrainStatus(backend="openai", advisor="openai:tiny", standing=standing, asked=4)

        async def brain(_: BrainAsked) -> BrainStatus:
            return status

        rig.tasks.append(rig.group.create_task(rig.around.bus.answer({BrainAsked: brain})))
        await tab.go("/decisions")
        await expect(page.get_by_role("heading", name="The language model leads")).to_be_visible()
        await expect(page.get_by_text("-1.3 s")).to_be_visible()
        dropped = page.get_by_role("listitem").filter(has_text="dropped:").first
        await expect(dropped).to_contain_text("evict pinned – it is always loaded")
        await expect(dropped).to_contain_text("75 % sure")
        await expect(page.get_by_text("asked for 59 times")).to_be_visible()
        await expect(page.get_by_text("keep quiet")).to_have_count(0)
        await page.get_by_label("only those that wanted a change").uncheck()
        await expect(page.get_by_text("keep quiet")).to_be_visible()
        await expect(page.get_by_text("Brain's rules, not followed")).to_be_visible()
        await page.get_by_role("button", name="Show older ones").click()
        await expect(page.get_by_text("asked for 0 times")).to_be_visible()
        await expect(page.get_by_role("button", name="Show older ones")).to_have_count(0)


async def test_usage_is_shown_by_what_is_chosen_and_saved_as_csv(
    browser: Browser, tmp_path: Path
) -> None:
    async with gateway_with_keys() as rig, opened(browser, rig.url, "/usage") as tab:
        page = tab.page
        key = await rig.key(name="ours")
        for _ in range(3):
            await rig.chat(key)
        await rig.access.usage.flush()
        await tab.sign_in(await rig.key(scopes=(Scope.ADMIN,)))
        await expect(row(page, "acme")).to_contain_text("ours")
        await expect(page.get_by_label("3 requests from")).to_be_visible()
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download CSV").click()
        saved = tmp_path / "usage.csv"
        await (await download.value).save_as(saved)
        (line,) = list(csv.DictReader(saved.open(newline="")))
        assert (line["organization"], line["model"]) == ("acme", "qwen")
        assert (line["requests"], line["completion_tokens"]) == ("3", "15")
        await page.get_by_label("By", exact=True).select_option(label="model")
        await expect(page.get_by_role("columnheader", name="Organisation")).to_have_count(0)
        await expect(row(page, "qwen")).to_contain_text("15")
        await page.get_by_label("From", exact=True).fill("2020-01-01")
        await expect(page.get_by_role("alert")).to_contain_text("400 days")


def decided_nothing() -> DecisionMade:
    return DecisionMade(origin="brain", source=DecisionSource.RULES, inputs_digest="0")


async def test_events_come_live_are_held_and_narrowed_and_older_ones_are_asked_for(
    browser: Browser,
) -> None:
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:
        page, bus = tab.page, rig.around.bus
        for number in range(130):
            await rig.become(reason=f"change {number}")
        await tab.go("/events")
        events = page.get_by_role("list", name="Events, the newest first").get_by_role("listitem")
        await expect(events).to_have_count(100)
        await bus.publish(ModelRequested(model="other"))
        await expect(events.first).to_contain_text("other asked for by another system")
        await events.first.get_by_role("button").click()
        await expect(events.first).to_contain_text('"model": "other"')

        await page.get_by_role("button", name="Pause").click()
        await bus.publish(ModelRequested(model="third"))
        await expect(page.get_by_role("button", name="Resume")).to_contain_text("1 new")
        await expect(events.filter(has_text="third")).to_have_count(0)
        await page.get_by_role("button", name="Resume").click()
        await expect(events.first).to_contain_text("third")

        await page.get_by_role("button", name="Show older ones").click()
        await expect(events).to_have_count(132)
        await expect(page.get_by_role("button", name="Show older ones")).to_have_count(0)

        await page.get_by_label("Model", exact=True).fill("other")
        await expect(events).to_have_count(1)
        await page.get_by_label("Model", exact=True).fill("")
        for option in await page.locator("#subjects option").all():
            async with page.expect_response("**/events/recent?*") as answered:
                await page.get_by_label("Subject").fill(await option.get_attribute("value") or "")
            assert (await answered.value).ok, "what is proposed is answered"
        await page.get_by_label("Subject").fill("nonsense.*")
        await expect(page.get_by_role("alert")).to_contain_text("nonsense")


async def test_decisions_to_change_nothing_are_shown_to_who_asks_for_them(
    browser: Browser,
) -> None:
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:
        page, bus = tab.page, rig.around.bus
        await bus.publish(decided_nothing())
        await bus.publish(ModelRequested(model="other"))
        await tab.go("/events")
        nothing = page.get_by_role("listitem").filter(has_text="nothing should change")
        await expect(page.get_by_role("listitem").filter(has_text="asked for by")).to_be_visible()
        await expect(nothing).to_have_count(0)
        await page.get_by_label("Also decisions to change nothing").check()
        await expect(nothing).to_have_count(1)


async def test_a_key_is_made_shown_once_and_revoked(browser: Browser) -> None:
    async with gateway_with_keys() as rig, opened(browser, rig.url, "/keys") as tab:
        page = tab.page
        await tab.sign_in(await rig.key(scopes=(Scope.ADMIN,), name="operator"))
        await expect(row(page, "operator")).to_contain_text("yours")
        await page.get_by_role("button", name="New key").click()
        await page.get_by_label("Name", exact=True).fill("for the bot")
        await page.get_by_role("textbox", name="Models").fill("qwen, llama-*")
        await page.get_by_label("Requests per minute").fill("7")
        await page.get_by_role("button", name="Make the key").click()
        text = await page.get_by_role("textbox", name="The new key").input_value()
        made = {"authorization": f"Bearer {text}"}
        assert (await rig.chat(made))[0] == 200
        await expect(row(page, "for the bot")).to_contain_text("7 requests/min")
        await expect(row(page, "for the bot")).to_contain_text("qwen, llama-*")
        await page.get_by_role("button", name="Done").click()
        assert text not in await page.content(), "it is shown once"

        await page.get_by_role("button", name="Revoke the key for the bot").click()
        await page.get_by_role("button", name="Revoke for good").click()
        await expect(row(page, "for the bot")).to_contain_text("revoked")
        assert (await rig.chat(made))[0] == 401
