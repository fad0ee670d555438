"""A brain whose language model leads without having earned it."""

import asyncio

import nats

from modelium.common.advice import AdvisorChanged, Standing
from modelium.common.clock import SystemClock
from modelium.common.figures import DecisionSource
from modelium.common.redis_store import RedisStore
from modelium.common.subjects import subject_of
from tests.system import System

_PAUSE_S = 0.05
_LONGEST_S = 30.0


async def restart_leading(system: System, advisor: str) -> None:
    """Kill the brain, say in its place that this one leads from now on, and start it again.

    Not written to Redis beside the registry, which may still have a change of before to write.
    """
    before = await asyncio.to_thread(system.get, "/admin/brain")
    await asyncio.to_thread(system.kill, "brain")
    led = Standing(leader=DecisionSource.LLM, promotions=before["standing"]["promotions"] + 1)
    change = AdvisorChanged(advisor=advisor, standing=led, reason="somebody wants it so")
    client = await nats.connect(f"nats://127.0.0.1:{system.ports['nats']}")
    await client.publish(subject_of(change), change.model_dump_json().encode())
    await client.close()
    await _until_noted(system, advisor, led)
    await asyncio.to_thread(system.start, "brain")


async def _until_noted(system: System, advisor: str, standing: Standing) -> None:
    store, clock = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0"), SystemClock()
    async with asyncio.timeout(_LONGEST_S):
        while (known := await store.advisors.get(advisor)) is None or known.standing != standing:
            await clock.sleep(_PAUSE_S)
    await store.close()
