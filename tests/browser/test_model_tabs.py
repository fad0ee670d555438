"""What a model's page tells about it: its decisions, its memory, its engine's log."""

import pytest
from playwright.async_api import Browser, expect

from modelium.common.clock import utc_now
from modelium.common.descriptor import RuntimeKind
from modelium.common.figures import DecidedAction, Decision, DecisionSource, DeploymentPlan
from modelium.common.history import Came, DecisionRecord
from modelium.common.plans import PlanAnswer
from modelium.common.records import ModelState
from tests.browser.pages import GIB, a_beat, a_gpu, an_engine, opened
from tests.integration.gateway_rig import Rig, running_gateway
from tests.integration.test_gateway_explain import PLAN, an_orchestrator
from tests.integration.test_gateway_log import an_agent

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def note(rig: Rig, decision_id: str, **changes: object) -> None:
    """As the registry keeps it."""
    fields = {
        "decision_id": decision_id,
        "made_at": utc_now(),
        "origin": "brain",
        "source": DecisionSource.RULES,
        "inputs_digest": "",
    }
    await rig.around.store.history.note_decision(DecisionRecord.model_validate(fields | changes))


async def test_what_would_happen_and_what_was_decided_are_told_whole(browser: Browser) -> None:
    """With the plan of a new model, what was dropped, and what came of it."""
    plan = DeploymentPlan(
        model="qwen", runtime=RuntimeKind.VLLM, needed_bytes=1, confidence=1, reasoning="it chats"
    )
    load = Decision(
        model="qwen", action=DecidedAction.LOAD, reason="somebody waits", victims=("a",)
    )
    sleep = Decision(
        model="qwen", action=DecidedAction.SLEEP, reason="it idles", dropped_by="it is in use"
    )
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:
        await note(rig, "d1", plan=plan)
        came = (Came(model="qwen", outcome="loaded after 7.0 s"),)
        await note(rig, "d2", origin="orchestrator", decisions=(load,), came=came)
        await note(rig, "d3", source=DecisionSource.LLM, decisions=(sleep,), shadow=True)
        async with an_orchestrator(rig, PlanAnswer(plan=PLAN)):
            await tab.go("/models/qwen?tab=why")
            told = tab.page.get_by_role("tabpanel")
            await expect(told).to_contain_text("displace: needs 2.8 GiB")
            await expect(told).to_contain_text("a, 2 B: has 1 in flight")
        await expect(told).to_contain_text("plan vllm: it chats")
        await expect(told).to_contain_text("by the orchestrator's rules")
        await expect(told).to_contain_text("somebody waits; gives way: a – loaded after 7.0 s")
        await expect(told).to_contain_text("by the language model, for comparison only")
        await expect(told).to_contain_text("sleep it idles – dropped: it is in use")


async def test_memory_and_the_engines_log_are_shown(browser: Browser) -> None:
    lines = ["loading", "\x1b[32mserving\x1b[0m"]
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:
        await rig.become(
            state=ModelState.LOADED,
            generation=1,
            agent_id="local",
            device_ids=("gpu-0",),
            reserved_bytes=9 * GIB,
            resident_bytes=8 * GIB,
        )
        await rig.around.bus.publish(
            a_beat([a_gpu()], [an_engine("qwen", "gpu-0", reserved=9 * GIB, resident=8 * GIB)])
        )
        async with an_agent(rig, {"qwen.1": lines}):
            await tab.go("/models/qwen?tab=log")
            told = tab.page.get_by_role("tabpanel")
            await expect(told).to_contain_text("loading\nserving", use_inner_text=True)
            lines.append("a request came")
            await expect(told).to_contain_text("a request came")
            await told.get_by_role("button", name="Following").click()
            lines.extend(("while nobody looked", "and more"))
            await told.get_by_role("button", name="Follow").click()
            whole = "loading\nserving\na request came\nwhile nobody looked\nand more"
            await expect(told.locator("pre")).to_have_text(whole, use_inner_text=True)
        await tab.page.get_by_role("tab", name="Memory").click()
        await expect(told).to_contain_text("reserved on each device9 GiB")
        await expect(told).to_contain_text("measured on each device8 GiB")
        await expect(told).to_contain_text("NVIDIA H100 80GB")
