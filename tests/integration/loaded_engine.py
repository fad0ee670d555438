"""An engine for a gateway that runs as a process: served by the test, its record in real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from modelium.common.http_server import bind, serve_http
from modelium.common.records import ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.testing import a_model_record
from tests.stubs.engine_app import Behaviour, StubEngine
from tests.system import System


@asynccontextmanager
async def loaded_engine(
    system: System, *, chunk_delay_s: float = 0.02
) -> AsyncIterator[StubEngine]:
    """The engine of a model `qwen` that is loaded, as Redis has it when the gateway starts."""
    engine = StubEngine(Behaviour(model="qwen", chunk_delay_s=chunk_delay_s))
    bound = bind("127.0.0.1", 0, setting="test")
    endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
    store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
    record = a_model_record(state=ModelState.LOADED, endpoint=endpoint, generation=1)
    await store.models.save(record)
    await store.close()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve_http(engine, bound))
        yield engine
        serving.cancel()
