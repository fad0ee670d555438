"""When a gateway says that it is ready."""

import asyncio

from modelium.common.load_settings import Settings
from modelium.common.settings import Gateway as GatewaySettings
from modelium.common.testing import yield_to_others
from modelium.gateway.access.assembly import assemble_access
from modelium.gateway.assembly import assemble
from modelium.gateway.engines.pool import EnginePool
from tests.integration.gateway_rig import Surroundings
from tests.windows import MemoryWindows


async def test_it_is_ready_once_it_has_read_the_models_and_not_before() -> None:
    around = Surroundings()
    access = assemble_access(around, Settings(), MemoryWindows(around.clock))
    gateway = assemble(around, GatewaySettings(), EnginePool(around.clock), access)
    assert await around.checks.results() == {"models": False}
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(gateway.updates.run())
        await gateway.updates.on_gap()
        await yield_to_others()
        reading.cancel()
    assert await around.checks.results() == {"models": True}
