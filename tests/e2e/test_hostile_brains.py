"""A whole system whose brain wishes it ill: no rule is broken, and no request waits for it.

The language model leads when a test begins: its record says that it has earned that. Beside the
endpoint's answers, forged decisions are published straight to NATS.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from modelium.cli.sample import write_sample_model
from modelium.common.advice import DecisionMade, MetricsTick
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.settings import MIB
from modelium.core.digest import digest_of_tick
from tests.advisors import restart_leading
from tests.e2e.hostile_brains import BRAINS, HostileEndpoint
from tests.system import System, stub_python, wait_until

ENGINE_MIB = 300
NAME = "dave"
DEADLINE_S = 5.0
"""Of a brain: half of the usual decision interval."""
TURNS = ("a", "b", "c")
"""Two of the three fit beside the pinned one."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[HostileEndpoint]:
    with HostileEndpoint() as served:
        yield served


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, endpoint: HostileEndpoint) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("hostile")
    settings: dict[str, Any] = {
        "vllm": {"overhead_bytes": ENGINE_MIB * MIB - 64 * MIB, "kv_cache_bytes": 32 * MIB},
        "modelium_brain": {"backend": "openai", "endpoint": endpoint.url, "model_name": NAME},
        "orchestration": {"policies": {"always_loaded": ["pinned"]}},
    }
    engine = stub_python(folder, "--resident-mib", str(ENGINE_MIB - 40), "--chunk-delay", "0.1")
    system = System(
        folder, engine_python=engine, slot_bytes=(3 * ENGINE_MIB + 60) * MIB, settings=settings
    )
    try:
        system.start()
        for name in ("pinned", *TURNS):
            write_sample_model(folder / "made" / name)
            shutil.copytree(folder / "made" / name, system.models / name)
        system.wait_for_state("pinned", "loaded")
        for name in TURNS:
            wait_until(f"{name} is known", lambda name=name: system.model(name))
        yield system
    finally:
        left = system.stop()
    assert not left


def brain(system: System) -> Any:
    return system.get("/admin/brain")


@pytest.fixture
async def leading(system: System, endpoint: HostileEndpoint) -> None:
    """Whatever it said before: three failures in a row, or bad advice, cost it the lead."""
    endpoint.brain = "paralysed"
    if brain(system)["standing"]["leader"] == DecisionSource.LLM:
        return
    await restart_leading(system, f"openai:{NAME}")
    assert brain(system)["standing"]["leader"] == DecisionSource.LLM


def _generation(system: System) -> int:
    """Of the pinned model's load; another means that it was unloaded in between."""
    (pinned,) = [m for m in system.get("/models")["models"] if m["model"] == "pinned"]
    return int(pinned["generation"])


async def ask_until(system: System, told: Callable[[], bool]) -> None:
    """Requests to all models at once, again and again; each must be answered."""
    async with asyncio.timeout(60):
        while not told():
            await ask(system)


async def ask(system: System) -> None:
    jobs = [asyncio.to_thread(system.chat, model) for model in ("pinned", *TURNS)]
    for answer in await asyncio.gather(*jobs):
        assert answer["choices"][0]["message"]["content"]


async def seconds(system: System) -> float:
    """That a short request for a loaded model takes."""
    began_s = time.monotonic()
    await asyncio.to_thread(system.chat, "pinned")
    return time.monotonic() - began_s


@pytest.mark.usefixtures("leading")
@pytest.mark.parametrize("name", BRAINS)
async def test_every_request_is_answered_and_the_pinned_model_stays(
    system: System, endpoint: HostileEndpoint, name: str
) -> None:
    before, asked = _generation(system), len(endpoint.asked)
    endpoint.brain = name
    long = asyncio.create_task(asyncio.to_thread(system.chat, "pinned", max_tokens=30))
    await ask_until(system, lambda: len(endpoint.asked) > asked)
    # One that is hung is being waited for now.
    assert max([await seconds(system) for _ in range(3)]) < DEADLINE_S
    await ask(system)
    answer = await long
    assert answer["usage"]["completion_tokens"] == 30
    assert answer["choices"][0]["finish_reason"] != "abort"
    assert _generation(system) == before


@pytest.mark.usefixtures("leading")
async def test_the_one_that_leads_is_asked_and_what_it_failed_at_is_told(
    system: System, endpoint: HostileEndpoint
) -> None:
    endpoint.brain = "not JSON"
    await ask_until(system, lambda: brain(system)["last_failure"])
    status = brain(system)
    assert status["advisor"] == f"openai:{NAME}"
    assert "I am sorry" in status["last_failure"]
    assert status["answered"] < status["asked"]


@asynccontextmanager
async def forger(system: System, wanted: list[DecidedAction]) -> AsyncIterator[list[int]]:
    """Answers each tick in the brain's name, with each of these for every model, many times."""
    told: list[int] = []
    client: Client = await nats.connect(f"nats://127.0.0.1:{system.ports['nats']}")

    async def on_tick(message: Msg) -> None:
        tick = MetricsTick.model_validate_json(message.data)
        decisions = tuple(
            Decision(model=model.model, action=action, reason="because I say so")
            for action in wanted
            for model in tick.models
        )
        forged = DecisionMade(
            origin="brain",
            source=DecisionSource.LLM,
            inputs_digest=digest_of_tick(tick),
            decisions=decisions * 50,
        )
        await client.publish("decision.made", forged.model_dump_json().encode())
        await client.publish("decision.made", b'{"decisions": [{"action": "explode"}]}')
        await client.publish("decision.made", b"\x00" * 100)
        told.append(len(forged.decisions))

    await client.subscribe("metrics.tick", cb=on_tick)
    try:
        yield told
    finally:
        await client.close()


@pytest.mark.parametrize(
    "wanted",
    [
        [DecidedAction.EVICT],
        [DecidedAction.LOAD],
        [DecidedAction.EVICT, DecidedAction.LOAD, DecidedAction.SLEEP, DecidedAction.WAKE],
    ],
    ids=lambda wanted: "+".join(wanted),
)
async def test_forged_decisions_break_no_rule(
    system: System, endpoint: HostileEndpoint, wanted: list[DecidedAction]
) -> None:
    endpoint.brain = "not JSON"
    before = _generation(system)
    async with forger(system, wanted) as told:
        long = asyncio.create_task(asyncio.to_thread(system.chat, "pinned", max_tokens=30))
        await ask_until(system, lambda: len(told) >= 2)
        await ask(system)
        answer = await long
    assert answer["usage"]["completion_tokens"] == 30
    assert _generation(system) == before


async def test_what_the_guard_drops_is_told_with_the_rule(
    system: System, endpoint: HostileEndpoint
) -> None:
    endpoint.brain = "not JSON"

    def told() -> bool:
        seen = system.get("/admin/explain/pinned?limit=100")
        rules = {each["dropped_by"] for made in seen["decisions"] for each in made["decisions"]}
        return "pinned" in rules

    async with forger(system, [DecidedAction.EVICT]):
        await ask_until(system, told)
