"""One engine's life, from the command to load it until its end is announced; one task owns it.

    LoadModel ──▶ loading ──▶ loaded ◀──▶ sleeping       any ──▶ failed (killed, announced)
                     │           │            │
                     └───────────┴────────────┴──▶ unloading ──▶ unloaded

Orders arrive in a mailbox; `UnloadModel` interrupts whatever is being done. What happens one at a
time per device is in `lanes.py`, what ready and alive mean in `watch.py`. An engine that is still
loading is killed at once: vLLM swallows SIGTERM while it loads.
"""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from modelium.common.errors import DependencyUnavailable
from modelium.common.events import (
    Command,
    LoadModel,
    RuntimeEvent,
    RuntimeUnloaded,
    SleepModel,
    UnloadModel,
    WakeModel,
)
from modelium.common.records import DeviceKind, FailureKind, Instance, InstanceState
from modelium.runtime_agent.facts import fact, failed, memory_of, state_of
from modelium.runtime_agent.failures import Failure
from modelium.runtime_agent.journal import Entry
from modelium.runtime_agent.launcher import Engine, EngineRecord, LaunchFailed, LaunchSpec, Usage
from modelium.runtime_agent.memory import Free
from modelium.runtime_agent.model_files import unreadable
from modelium.runtime_agent.steady import SteadyEngine
from modelium.runtime_agent.tools import Tools
from modelium.runtime_agent.waiting import to_the_end, until_told
from modelium.runtime_agent.watch import EngineFailed, Watch, obeyed

STOP_MARGIN_S = 10.0
"""An engine gets this on top of the time in which it may end its requests."""


class Life:
    """One engine; `run` or `resume` it in a task of its own, once."""

    def __init__(self, record: EngineRecord, tools: Tools) -> None:
        self.record = record
        self.state = InstanceState.LOADING
        self.resident_bytes = 0
        self.is_over = False
        self._tools = tools
        self._engine: Engine | None = None
        self._load_s: float | None = None
        self._kind = ""
        """Its kind and version, as it says itself."""
        self._unload_order: UnloadModel | None = None
        self._orders: asyncio.Queue[Command] = asyncio.Queue()
        self._served = False
        self._was_killed = False

    async def run(self, command: LoadModel) -> RuntimeEvent:
        """Load it and look after it to the end; returns what was announced last."""
        return await self._live(self._load(command))

    async def resume(self, engine: Engine, entry: Entry | None) -> RuntimeEvent:
        """The same for an engine that an earlier agent has started."""
        self._engine = SteadyEngine(engine, self._tools.clock)
        if entry is not None:
            self.state = entry.state
            self.resident_bytes = entry.resident_bytes
            self._load_s = entry.load_s
            self._kind = entry.engine
            self._served = entry.served
            if entry.unload is not None:
                self.tell(entry.unload)
        return await self._live(self._adopt())

    def tell(self, order: Command) -> bool:
        """Give an order; False when there is nothing to do for it in this state."""
        sensible = {
            SleepModel: self.state is InstanceState.LOADED,
            WakeModel: self.state is InstanceState.SLEEPING,
            UnloadModel: self._unload_order is None,
        }.get(type(order), False)
        if sensible:
            if isinstance(order, UnloadModel):
                self._unload_order = order
            self._orders.put_nowait(order)
        return sensible

    def snapshot(self) -> Instance:
        """As it is now, for heartbeats."""
        record = self.record
        return Instance(
            instance_id=record.instance_id,
            model=record.model,
            agent_id=record.agent_id,
            device_ids=record.device_ids,
            generation=record.generation,
            state=self.state,
            endpoint=self._engine.endpoint if self._engine and self._served else None,
            fingerprint=record.fingerprint,
            reserved_bytes=record.reserved_bytes,
            resident_bytes=self.resident_bytes,
            load_s=self._load_s,
            memory=memory_of(record, self._kind),
        )

    def event(self) -> RuntimeEvent:
        """What its state is announced with, also again."""
        order = self._unload_order
        return state_of(self.snapshot(), order.reason if order else "it is put to sleep")

    async def kill(self) -> None:
        """End its engine at once, whatever is being done with it."""
        if self._engine is not None:
            await self._engine.kill()

    async def _killed(self) -> None:
        """End it at once, and see its memory free as far as anybody can tell; once."""
        if self._engine is not None and not self._was_killed:
            await self._engine.kill()
            await self._tools.meter.until_settled(self.record.device_ids)
            self._was_killed = True

    async def _live(self, first: Coroutine[Any, Any, None]) -> RuntimeEvent:
        try:
            order = await until_told(first, self._orders)
            while not isinstance(order, UnloadModel):
                order = await until_told(self._next(order), self._orders)
            return await self._unload(order)
        except EngineFailed as wrong:
            async with self._tools.lanes.hold(self.record.device_ids):
                await self._killed()
            last = failed(self.record, wrong.failure, wrong.log, engine=self._kind)
            return await self._over(last)

    async def _next(self, order: Command | None) -> None:
        if isinstance(order, SleepModel):
            await self._sleep(order)
        elif isinstance(order, WakeModel):
            await self._wake()
        else:
            await self._watching().while_serving(self._note_usage)

    async def _load(self, command: LoadModel) -> None:
        await self._enter(InstanceState.LOADING)
        async with self._tools.lanes.hold(self.record.device_ids):
            free = await self._tools.meter.free(self.record.device_ids)
            began_s = self._tools.clock.monotonic()
            await self._or_killed(self._start(command))
            self._load_s = self._tools.clock.monotonic() - began_s
            await self._measure(free)
        await self._enter(InstanceState.LOADED)

    async def _start(self, command: LoadModel) -> None:
        """Launch it and wait until it is ready."""
        readable = self._tools.launcher.readable_by_engine
        problem = await asyncio.to_thread(unreadable, Path(command.path), readable)
        if problem is not None:
            raise EngineFailed(Failure(FailureKind.START_FAILED, problem))
        try:
            spec = self._spec(command)
            # Never half: an engine that was started must be known, or it could not be killed.
            await to_the_end(self._launch(spec))
        except (LaunchFailed, DependencyUnavailable) as wrong:
            raise EngineFailed(Failure(FailureKind.START_FAILED, str(wrong))) from wrong
        await self._until_ready()

    def _spec(self, command: LoadModel) -> LaunchSpec:
        tools = self._tools
        devices = [t for d in command.device_ids if (t := tools.devices.traits(d)) is not None]
        site = tools.launcher.site(self.record, command.path)
        return tools.runtime.spec(command, self.record, site, devices)

    async def _launch(self, spec: LaunchSpec) -> None:
        engine = await self._tools.launcher.start(spec)
        self._engine = SteadyEngine(engine, self._tools.clock)

    async def _until_ready(self) -> None:
        watch = self._watching()
        await watch.until_healthy()
        self._kind = await watch.prove()

    async def _or_killed(self, starting: Coroutine[Any, Any, None]) -> None:
        """Leave nothing behind when it fails, or is interrupted to be unloaded.

        When the agent itself is stopped, an engine that loads is left to the next agent.
        """
        try:
            await starting
        except EngineFailed:
            await self._killed()
            raise
        except asyncio.CancelledError:
            if self._unload_order is not None:
                await self._killed()
            raise

    async def _adopt(self) -> None:
        """Carry on; one that has served before need not prove itself, it may be busy."""
        watch = self._watching()
        await watch.ensure_running(was_ready=self._served)
        if self.state is InstanceState.SLEEPING:
            await self._enter(InstanceState.SLEEPING)
            return
        if self._served:
            await watch.until_healthy(was_ready=True)
        else:
            async with self._tools.lanes.hold(self.record.device_ids):
                await self._or_killed(self._until_ready())
                await self._measure({})
        await self._enter(InstanceState.LOADED)

    async def _unload(self, order: UnloadModel) -> RuntimeEvent:
        await self._enter(InstanceState.UNLOADING)
        if self._served:
            await self._tools.drained(self.record, order.drain_deadline_s)
        async with self._tools.lanes.hold(self.record.device_ids):
            await self._stop()
        return await self._over(fact(RuntimeUnloaded, self.record, reason=order.reason))

    async def _stop(self) -> None:
        if self._engine is None or not self._served:
            return await self._killed()
        free = await self._tools.meter.free(self.record.device_ids)
        await self._engine.stop(self._tools.runtime.limits.shutdown_timeout_s + STOP_MARGIN_S)
        await self.kill()
        await self._tools.meter.until_freed(free, self.resident_bytes)

    async def _sleep(self, order: SleepModel) -> None:
        """Its state on the way is that of an unload: gateways must route nothing more to it."""
        await self._enter(InstanceState.UNLOADING)
        await self._tools.drained(self.record, order.drain_deadline_s)
        async with self._tools.lanes.hold(self.record.device_ids):
            free = await self._tools.meter.free(self.record.device_ids)
            await obeyed(self._tools.runtime.sleep(self._watching().engine.endpoint))
            # Its answer says that it sleeps; that the memory is free is measured.
            await self._tools.meter.until_freed(free, self.resident_bytes)
            await self._measure_change(free)
        await self._enter(InstanceState.SLEEPING)

    async def _wake(self) -> None:
        await self._enter(InstanceState.LOADING)
        async with self._tools.lanes.hold(self.record.device_ids):
            free = await self._tools.meter.free(self.record.device_ids)
            watch = self._watching()
            await obeyed(self._tools.runtime.wake(watch.engine.endpoint))
            self._kind = await watch.prove()
            await self._measure_change(free)
        await self._enter(InstanceState.LOADED)

    async def _measure(self, free: Free) -> None:
        """What it holds; on a GPU 0, not known, unless free memory was measured before."""
        if self.record.device_kind is DeviceKind.CPU:
            self._note_usage(await self._watching().engine.usage())
        else:
            taken = await self._tools.meter.taken(self.record.device_ids, free)
            self.resident_bytes = max(0, taken)

    def _note_usage(self, usage: Usage) -> None:
        """A cache fills as it is used. On a GPU the device shows it, not the processes."""
        if self.record.device_kind is DeviceKind.CPU and usage.resident_bytes:
            self.resident_bytes = usage.resident_bytes

    async def _measure_change(self, free: Free) -> None:
        taken = await self._tools.meter.taken(self.record.device_ids, free)
        self.resident_bytes = max(0, self.resident_bytes + taken)

    def _watching(self) -> Watch:
        if self._engine is None:
            raise RuntimeError("an engine is watched only after it was launched")
        return Watch(self._engine, self._tools.runtime, self._tools.clock)

    async def _enter(self, state: InstanceState) -> None:
        """Note the new state, for the next agent too, and announce it."""
        self.state = state
        self._served = self._served or state is InstanceState.LOADED
        await self._tools.journal.write(
            Entry(
                record=self.record,
                state=state,
                served=self._served,
                load_s=self._load_s,
                resident_bytes=self.resident_bytes,
                engine=self._kind,
                unload=self._unload_order,
            )
        )
        await self._tools.announce(self.event())

    async def _over(self, last: RuntimeEvent) -> RuntimeEvent:
        """The journal keeps it until its end is announced: an agent killed before announces it."""
        if self._engine is not None:
            await self._engine.forget()
        self.is_over = True
        await self._tools.announce(last)
        await self._tools.journal.remove(self.record.instance_id)
        return last
