"""A gateway on a real port with a bus and a store in memory, and stub engines on real ports.

The test plays the registry: `Rig.become` saves a model's next record and announces it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from modelium.common.api_keys import Scope, mint
from modelium.common.bus import bind
from modelium.common.clock import SystemClock
from modelium.common.events import GatewayStats, MetricsTick, ModelRequested, ModelStateChanged
from modelium.common.figures import GatewayModelStats, ModelFigures
from modelium.common.health import Checks
from modelium.common.http_limits import ServerLimits
from modelium.common.http_server import bind as bind_socket
from modelium.common.http_server import serve_http
from modelium.common.load_settings import Settings
from modelium.common.policies import PoliciesInForce
from modelium.common.policy_reader import PolicyReader
from modelium.common.records import ModelState
from modelium.common.settings import Gateway as GatewaySettings
from modelium.common.settings import Policies
from modelium.common.testing import InMemoryBus, InMemoryStore, a_model_record
from modelium.common.tracing import NO_TRACING, Tracing
from modelium.gateway.access.assembly import Access, assemble_access
from modelium.gateway.assembly import Gateway, assemble
from modelium.gateway.engines.pool import EnginePool
from modelium.gateway.handlers import LIVE_HANDLERS, QUESTION_HANDLERS
from tests.stubs.engine_app import Behaviour, StubEngine
from tests.windows import MemoryWindows

PEPPER = "pepper for tests"


@dataclass
class Surroundings:
    """What the shell gives to a service."""

    clock: SystemClock = field(default_factory=SystemClock)
    bus: InMemoryBus = field(default_factory=InMemoryBus)
    store: InMemoryStore = field(default_factory=lambda: InMemoryStore(SystemClock()))
    instance: str = "gateway-test"
    checks: Checks = field(default_factory=Checks)

    def __post_init__(self) -> None:
        self.checks.started = True


@dataclass
class Rig:
    """A gateway that runs, its surroundings, and a client for it."""

    around: Surroundings
    gateway: Gateway
    access: Access
    url: str
    http: aiohttp.ClientSession
    group: asyncio.TaskGroup
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def become(self, model: str = "qwen", **changes: Any) -> None:
        """Save the model's record with these changes, announce it, see it known."""
        known = await self.around.store.models.get(model)
        record = (known or a_model_record(model=model)).model_copy(update=changes)
        saved = await self.around.store.models.save(record)
        message = ModelStateChanged(model=model, previous=None, record=saved)
        await self.around.bus.publish(message)
        await self.until(lambda: self.gateway.table.versions().get(model) == saved.version)

    async def loaded(self, endpoint: str, model: str = "qwen", generation: int = 1) -> None:
        """The model is loaded there."""
        await self.become(
            model,
            state=ModelState.LOADED,
            endpoint=endpoint,
            generation=generation,
            reason="",
            load_s=2.0,
        )

    async def key(self, **given: Any) -> dict[str, str]:
        """A new key's header; `given` are fields of `ApiKey`."""
        fields = {"organization": "acme", "scopes": (Scope.INFERENCE, Scope.READ), **given}
        minted = mint(PEPPER.encode(), now=self.around.clock.now(), **fields)
        await self.around.store.api_keys.save(minted.record)
        await self.access.keys.read()
        return {"authorization": f"Bearer {minted.text}"}

    async def engine(self, **behaviour: Any) -> tuple[StubEngine, str]:
        """A stub engine in this process, and its address."""
        stub = StubEngine(Behaviour(**{"model": "qwen", **behaviour}))
        url = self.serve(stub)
        return stub, url

    def serve(self, app: Any, port: int = 0, **limits: Any) -> str:
        """Serve an ASGI application until the test ends, on a free port unless one is given."""
        bound, bounds = bind_socket("127.0.0.1", port, setting="test"), ServerLimits(**limits)
        bound.listen()
        self.tasks.append(self.group.create_task(serve_http(app, bound, limits=bounds)))
        return f"http://127.0.0.1:{bound.getsockname()[1]}"

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait for a condition that becomes true by itself; pytest's timeout is the bound."""
        clock = self.around.clock
        while not met():
            await clock.sleep(0.002)

    async def waiting(self, count: int = 1, model: str = "qwen") -> None:
        """Wait until so many requests wait for the model."""
        await self.until(lambda: self.gateway.room.count(model) == count)

    def asked(self) -> list[str]:
        """The models that were asked for, one entry per message."""
        return [m.model for m in self.around.bus.of(ModelRequested)]

    def figures(self, model: str = "qwen") -> list[GatewayModelStats]:
        """All that `gateway.stats` said about a model so far."""
        said = self.around.bus.of(GatewayStats)
        return [f for message in said for f in message.models if f.model == model]

    def post(self, path: str = "/v1/chat/completions", **body: Any) -> Any:
        """A POST with a JSON body; `model` is qwen unless it is given."""
        return self.http.post(self.url + path, json={"model": "qwen", **body})

    async def chat(self, key: dict[str, str] | None, **body: Any) -> tuple[int, Any]:
        """Status and answer of a chat completion of five tokens; a stream's answer is its text."""
        body = {"model": "qwen", "messages": [], "max_tokens": 5, **body}
        url = self.url + "/v1/chat/completions"
        async with self.http.post(url, json=body, headers=key) as response:
            text = await response.text()
            return response.status, text if body.get("stream") else json.loads(text)


def _surroundings(beside: Rig | None) -> Surroundings:
    if beside is None:
        return Surroundings()
    shared = beside.around
    return Surroundings(bus=shared.bus, store=shared.store, instance="gateway-beside")


@asynccontextmanager
async def running_gateway(
    *,
    pinned: Collection[str] = (),
    comment_every_s: float = 5.0,
    port: int = 0,
    beside: Rig | None = None,
    tracing: Tracing = NO_TRACING,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """A gateway with one unloaded model `qwen`, on a free port unless one is given.

    `beside` another one it has that one's bus and store.
    """
    around = _surroundings(beside)
    if beside is None:
        await around.store.models.save(a_model_record())
    async with EnginePool(around.clock) as upstream, aiohttp.ClientSession() as http:
        windows = MemoryWindows(around.clock)
        chosen = GatewaySettings(**{"key_pepper": PEPPER, **settings})
        access = assemble_access(around, Settings(gateway=chosen), windows)
        gateway = assemble(
            around,
            chosen,
            upstream,
            access,
            pinned=pinned,
            comment_every_s=comment_every_s,
            tracing=tracing,
        )
        async with asyncio.TaskGroup() as group:
            rig = Rig(around, gateway, access, "", http, group)
            rig.url = rig.serve(gateway.app, port)
            rig.tasks += [group.create_task(work) for _, work in [*gateway.work(), *access.work()]]
            updates = gateway.updates
            in_force = PoliciesInForce(Policies())
            reader = PolicyReader(
                store=around.store.policies, policies=in_force, clock=around.clock
            )
            handlers = bind(
                LIVE_HANDLERS,
                updates=updates,
                dispatch=gateway.dispatch,
                board=gateway.live.board,
                advising=gateway.live.advising,
                keys=access.keys,
                policies=reader,
            )
            follow = around.bus.follow(handlers, on_gap=updates.on_gap)
            questions = bind(QUESTION_HANDLERS, requests=gateway.requests)
            for work in (follow, around.bus.answer(questions)):
                rig.tasks.append(group.create_task(work))
            await rig.until(lambda: bool(gateway.table.versions()))
            try:
                yield rig
            finally:
                for task in rig.tasks:
                    task.cancel()


@asynccontextmanager
async def gateway_with_keys() -> AsyncIterator[Rig]:
    """A gateway where every request needs a key, and a loaded model."""
    async with running_gateway(authentication="keys") as rig:
        _, url = await rig.engine()
        await rig.loaded(url)
        yield rig


def sleepy_tick() -> MetricsTick:
    """By which the gateway knows that the model can sleep."""
    figures = ModelFigures(
        model="qwen",
        state=ModelState.LOADED,
        pinned=False,
        rate_per_s=0,
        idle_s=None,
        in_flight=0,
        waiting=0,
        oldest_wait_s=0,
        held_bytes=0,
        needed_bytes=0,
        can_sleep=True,
    )
    return MetricsTick(interval_s=1, models=(figures,), devices=())
