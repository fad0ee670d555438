"""The real orchestrator and registry between unruly hosts and a gateway, in memory, by hand.

One `second` lets everybody speak once and the clock move on; the judge looks at all that is said
and at what is there. The loop belongs to this system, so that a machine can drive it in steps.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any

from modelium.common import events as ev
from modelium.common.bus import bind
from modelium.common.load_settings import Settings
from modelium.common.records import Device, InstanceState, ModelRecord
from modelium.common.testing import FakeClock, InMemoryBus, InMemoryStore
from modelium.orchestrator.handlers import EVENT_HANDLERS, LIVE_HANDLERS
from modelium.orchestrator.owner import Owner
from modelium.orchestrator.resync import Resync
from modelium.registry import handlers as registry
from tests.properties.front import Front
from tests.properties.judge import Judge
from tests.properties.unruly import Host


class HeardBus(InMemoryBus):
    """What is published through it is judged first; what breaks a rule is kept for the caller."""

    judge: Judge
    broken: AssertionError | None = None

    def __init__(self, *, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self._commanded_at: dict[str, datetime] = {}
        """Messages are dated by the wall clock, which is not that of this system."""

    async def publish(self, message: ev.Message) -> None:
        try:
            self.judge.sent(message)
        except AssertionError as broken:
            self.broken = self.broken or broken
        if isinstance(message, ev.LoadModel):
            at = self._commanded_at.setdefault(message.instance_id, self._clock.now())
            message = message.model_copy(update={"occurred_at": at})
        await super().publish(message)


class System:
    """Everybody, and the loop they run on."""

    def __init__(
        self, models: Sequence[ModelRecord], hosts: Sequence[Sequence[Device]], settings: Settings
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.bus, self.store = HeardBus(clock=self.clock), InMemoryStore(clock=self.clock)
        policies = settings.orchestration.policies
        self.judge = Judge(
            self.clock, policies.drain_deadline_seconds, frozenset(policies.always_loaded)
        )
        self.judge.most = policies.max_engines_per_model
        self.bus.judge = self.judge
        self.settings = settings
        self.front = Front(self.bus, self.clock, self._serves)
        self.hosts = [
            Host(f"h{n}", tuple(own), self.bus, self.clock, self.front.in_flight, self.judge)
            for n, own in enumerate(hosts)
        ]
        self.judge.hosts, self.judge.front = self.hosts, self.front
        self.deaf_s = 0
        """How many seconds more live messages do not reach the orchestrator."""
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self.run(self._begin(models))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it end, and raise what the judge found meanwhile."""
        self.loop.run_until_complete(work)
        if self.bus.broken is not None:
            raise self.bus.broken

    def close(self) -> None:
        """Leave nothing behind."""
        for name in list(self._tasks):
            self.loop.run_until_complete(self.stop(name))
        self.loop.close()

    async def _begin(self, models: Sequence[ModelRecord]) -> None:
        for model in models:
            await self.store.models.save(model)
        needs = {"store": self.store, "bus": self.bus, "clock": self.clock}
        self.begin(
            "registry",
            self.bus.consume("registry", bind(registry.EVENT_HANDLERS, **needs)),
            self.bus.follow(bind(registry.LIVE_HANDLERS, **needs)),
        )
        for host in self.hosts:
            self.connect(host)
        self.start_orchestrator()
        await self._second()

    def connect(self, host: Host) -> None:
        """Its agent takes commands, also those that have waited for it."""
        orders = {ev.LoadModel: host.on_load_model, ev.UnloadModel: host.on_unload_model}
        name = f"agent-{host.agent_id}"
        leaders = {ev.OrchestratorHeartbeat: host.on_orchestrator_heartbeat}
        self.begin(
            name,
            self.bus.consume(name, orders, agent_id=host.agent_id),
            self.bus.follow(leaders),
        )
        host.up = True

    async def disconnect(self, host: Host) -> None:
        """Nothing reaches it, and nobody hears it."""
        host.up = False
        await self.stop(f"agent-{host.agent_id}")

    def start_orchestrator(self) -> None:
        """One that knows nothing yet."""
        owner = Owner(bus=self.bus, clock=self.clock, settings=self.settings)
        jobs = self.minding(owner, Resync(store=self.store, owner=owner, clock=self.clock))
        self.begin("orchestrator", *jobs, self.consuming(owner))

    def minding(self, owner: Owner, resync: Resync) -> list[Coroutine[Any, Any, None]]:
        """What an orchestrator does whether it leads or not."""

        async def hear(message: ev.Message) -> None:
            if self.deaf_s <= 0:
                owner.post(message)

        live = self.bus.follow(dict.fromkeys(LIVE_HANDLERS, hear), on_gap=resync.soon)
        return [resync.run(), resync.remind(), live, owner.tick(), owner.run()]

    def consuming(self, owner: Owner) -> Coroutine[Any, Any, None]:
        """What only one does that leads."""
        return self.bus.consume("orchestrator", bind(EVENT_HANDLERS, owner=owner))

    async def kill_orchestrator(self) -> None:
        """With all it knew."""
        await self.stop("orchestrator")

    def seconds(self, count: int) -> None:
        """Time goes by."""
        for _ in range(count):
            self.run(self._second())

    async def records(self) -> list[ModelRecord]:
        return await self.store.models.all()

    async def _second(self) -> None:
        for host in self.hosts:
            host.tick()
            await host.speak()
        self.front.end()
        await self.front.speak(await self.records())
        await self.clock.advance(1)
        await self.bus.settled()
        self.deaf_s -= 1
        for task in (task for tasks in self._tasks.values() for task in tasks):
            if task.done():
                task.result()
        for record in await self.records():
            self.front.serve(record)
        self.judge.records(await self.records())

    def _serves(self, instance_id: str) -> bool:
        return any(
            p.instance.instance_id == instance_id and p.instance.state is not InstanceState.LOADING
            for host in self.hosts
            for p in host.processes.values()
        )

    def begin(self, name: str, *jobs: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = [self.loop.create_task(job) for job in jobs]

    async def stop(self, name: str) -> None:
        tasks = self._tasks.pop(name, [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
