"""One engine's life, from the command to load it until its end is announced; one task owns it.

    LoadModel ──▶ loading ──▶ loaded ◀──▶ sleeping       any ──▶ failed (killed, announced)
                     │           │            │
                     └───────────┴────────────┴──▶ unloading ──▶ unloaded

Orders arrive in a mailbox; `UnloadModel` interrupts whatever is being done, a load by killing it:
vLLM swallows SIGTERM then. Turns on a device are in `lanes.py`, ready and alive in `watch.py`,
and what is looked after while it serves or is drained in `tending.py`.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from typing import Any

from modelium.common.envelope import TRACEPARENT
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
from modelium.runtime_agent.facts import fact, failed, instance_of, state_of
from modelium.runtime_agent.failures import Failure
from modelium.runtime_agent.journal import Entry
from modelium.runtime_agent.launcher import Engine, EngineRecord, Usage
from modelium.runtime_agent.launching import launch, until_ready
from modelium.runtime_agent.memory import Free
from modelium.runtime_agent.runtime import Proof
from modelium.runtime_agent.sleeping import fall_asleep, wake_up, while_asleep
from modelium.runtime_agent.steady import SteadyEngine
from modelium.runtime_agent.tending import Tending, tending
from modelium.runtime_agent.tools import Tools
from modelium.runtime_agent.waiting import until_told
from modelium.runtime_agent.watch import EngineFailed, Watch

STOP_MARGIN_S = 10.0
"""An engine gets this on top of the time in which it may end its requests."""
HALF_ASLEEP = "Its agent was restarted while the engine fell asleep or woke"


class Life:
    """One engine; `run` or `resume` it in a task of its own, once."""

    def __init__(self, record: EngineRecord, tools: Tools) -> None:
        self.record = record
        self.last: RuntimeEvent | None = None  # how it ended
        self._tools = tools
        self._runtime = tools.runtimes[record.runtime]
        self._engine: Engine | None = None
        self._at = Entry(record=record, state=InstanceState.LOADING, served=False)
        """All that the next agent has to know of it."""
        self._orders: asyncio.Queue[Command] = asyncio.Queue()
        self._was_killed = False
        self._wakes = False  # was told to last
        self._told_in: str | None = None
        self._tending: Tending | None = None

    @property
    def state(self) -> InstanceState:
        """What was announced last."""
        return self._at.state

    @property
    def resident_bytes(self) -> int:
        """What it holds of each of its devices; 0: not known."""
        return self._at.resident_bytes

    @property
    def promised_bytes(self) -> int:
        """What it may take of each device at any time; asleep, what it was measured to keep."""
        asleep = self.state is InstanceState.SLEEPING and not self._wakes
        return (self.resident_bytes if asleep else 0) or self.record.reserved_bytes

    async def run(self, command: LoadModel) -> RuntimeEvent:
        """Load it and look after it to the end; returns what was announced last."""
        return await self._live(self._load(command), command)

    async def resume(self, engine: Engine, entry: Entry | None) -> RuntimeEvent:
        """The same for an engine that an earlier agent has started."""
        self._launched(engine)
        if entry is not None:
            self._at = entry
            if entry.unload is not None:
                self._orders.put_nowait(entry.unload)
        return await self._live(self._adopt(), None)

    def tell(self, order: Command) -> bool:
        """Give an order; False when there is nothing to do for it in this state."""
        if sensible := self._at.can_be_told(order):
            self._told_in = TRACEPARENT.get()
            if isinstance(order, UnloadModel):
                self._note(unload=order)
            self._wakes = isinstance(order, WakeModel)
            self._orders.put_nowait(order)
        return sensible

    def snapshot(self) -> Instance:
        """As it is now, for heartbeats."""
        serves_at = self._engine.endpoint if self._engine and self._at.served else None
        return instance_of(self._at, serves_at)

    def event(self) -> RuntimeEvent:
        """What its state, or how it ended, is announced with, also again."""
        return self.last or state_of(self.snapshot(), self._at.leaves_for)

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

    async def _live(self, first: Coroutine[Any, Any, None], told: Command | None) -> RuntimeEvent:
        try:
            with self._doing(told):
                order = await until_told(first, self._orders)
            TRACEPARENT.set(None)  # that of the load, which is over
            while not isinstance(order, UnloadModel):
                with self._doing(order):
                    order = await until_told(self._next(order), self._orders)
            with self._doing(order):
                return await self._unload(order)
        except EngineFailed as wrong:
            async with self._tools.lanes.hold(self.record.device_ids):
                await self._killed()
            last = failed(self.record, wrong.failure, wrong.log, engine=self._at.engine)
            return await self._over(last)

    async def _next(self, order: Command | None) -> None:
        if isinstance(order, SleepModel):
            await self._sleep(order)
        elif isinstance(order, WakeModel):
            await self._wake()
        elif self._at.sleep_level:
            await while_asleep(self._watching())
        else:
            await self._tended().while_serving()

    def _doing(self, order: Command | None) -> AbstractContextManager[object]:
        return self._tools.doing(order, self.record, self._told_in)

    async def _load(self, command: LoadModel) -> None:
        await self._enter(InstanceState.LOADING)
        async with self._tools.lanes.hold(self.record.device_ids):
            free = await self._tools.meter.free(self.record.device_ids)
            starting = self._or_killed(self._start(command))
            self._note(load_s=await self._tools.timed(starting, self.record.model, "disk"))
            await self._measure(free)
        await self._enter(InstanceState.LOADED)

    async def _start(self, command: LoadModel | None) -> None:
        """Launch it, unless (None) it was, and wait until it is ready."""
        if command is not None:
            await launch(command, self.record, self._tools, self._runtime, self._launched)
        self._proved(await until_ready(self._watching(), self._tools.tracing))

    def _launched(self, engine: Engine) -> None:
        self._engine = SteadyEngine(engine, self._tools.clock)

    def _proved(self, proof: Proof) -> None:
        self._note(engine=proof.engine, answer=self._at.answer or proof.answer)

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
            if self._at.unload is not None:
                await self._killed()
            raise

    async def _adopt(self) -> None:
        """Carry on; one that has served before need not prove itself, it may be busy."""
        watch = self._watching()
        await watch.ensure_running(was_ready=self._at.served)
        if self.state is InstanceState.SLEEPING:
            await self._enter(InstanceState.SLEEPING)
            return
        if self._at.sleep_level:
            raise EngineFailed(Failure(FailureKind.CANCELLED, HALF_ASLEEP))
        if self._at.served:
            await watch.until_healthy(was_ready=True)
        else:
            async with self._tools.lanes.hold(self.record.device_ids):
                await self._or_killed(self._start(None))
                await self._measure({})
        await self._enter(InstanceState.LOADED)

    async def _unload(self, order: UnloadModel) -> RuntimeEvent:
        await self._enter(InstanceState.UNLOADING)
        if self._at.served and not (self._at.sleep_level or self._was_killed):
            await self._tended().until_drained(order.drain_deadline_s)
        async with self._tools.lanes.hold(self.record.device_ids):
            await self._stop()
        return await self._over(fact(RuntimeUnloaded, self.record, reason=order.reason))

    async def _stop(self) -> None:
        if self._engine is None or not self._at.served or self._was_killed:
            return await self._killed()
        free = await self._tools.meter.free(self.record.device_ids)
        # Asleep it has no requests to end.
        requests_s = 0.0 if self._at.sleep_level else self._runtime.limits.shutdown_timeout_s
        await self._engine.stop(requests_s + STOP_MARGIN_S)
        await self.kill()
        await self._tools.meter.until_freed(free, self.resident_bytes)

    async def _sleep(self, order: SleepModel) -> None:
        """Its state on the way is that of an unload: gateways must route nothing more to it."""
        await self._enter(InstanceState.UNLOADING)
        idle = await self._tended().until_drained(order.drain_deadline_s)
        async with self._tools.lanes.hold(self.record.device_ids):
            await self._or_killed(self._fall_asleep(order.level, idle=idle))
        await self._enter(InstanceState.SLEEPING)

    async def _fall_asleep(self, level: int, *, idle: bool) -> None:
        watch, meter, held = self._watching(), self._tools.meter, self.resident_bytes
        if not self._at.answer:
            self._proved(await watch.prove(was_ready=True))
        self._note(sleep_level=level)
        await self._tools.journal.write(self._at)
        began_s = self._tools.clock.monotonic()
        freed = await fall_asleep(watch, meter, level=level, held_bytes=held, idle=idle)
        took_s = self._tools.clock.monotonic() - began_s
        self._note(resident_bytes=max(0, held - freed), sleep_s=took_s)

    async def _wake(self) -> None:
        await self._enter(InstanceState.LOADING)
        async with self._tools.lanes.hold(self.record.device_ids):
            free = await self._tools.meter.free(self.record.device_ids)
            waking = self._or_killed(self._wake_up())
            wake_s = await self._tools.timed(waking, self.record.model, "sleep")
            self._tending = None
            self._note(wake_s=wake_s, sleep_level=0)
            # What held nobody knows how much asleep holds nobody knows how much awake.
            taken = await self._tools.meter.taken(self.record.device_ids, free)
            self._note(resident_bytes=self.resident_bytes and max(0, self.resident_bytes + taken))
        await self._enter(InstanceState.LOADED)

    async def _wake_up(self) -> None:
        level, answer = self._at.sleep_level, self._at.answer
        self._proved(await wake_up(self._watching(), level=level, answer=answer))

    async def _measure(self, free: Free) -> None:
        """What it holds; on a GPU 0, not known, unless free memory was measured before."""
        if self.record.device_kind is DeviceKind.CPU:
            self._note_usage(await self._watching().engine.usage())
        else:
            taken = await self._tools.meter.taken(self.record.device_ids, free)
            self._note(resident_bytes=max(0, taken))

    def _note_usage(self, usage: Usage) -> None:
        """A cache fills as it is used. On a GPU the device shows it, not the processes."""
        if self.record.device_kind is DeviceKind.CPU and usage.resident_bytes:
            self._note(resident_bytes=usage.resident_bytes)

    def _watching(self) -> Watch:
        if self._engine is None:
            raise RuntimeError("an engine is watched only after it was launched")
        return Watch(self._engine, self._runtime, self._tools.clock)

    def _tended(self) -> Tending:
        """The same from when it serves until it has slept, so that what was seen still counts."""
        if self._tending is None:
            self._tending = tending(self._watching(), self._tools, self._note_usage)
        return self._tending

    async def _enter(self, state: InstanceState) -> None:
        """Note the new state, for the next agent too, and announce it."""
        self._note(state=state, served=self._at.served or state is InstanceState.LOADED)
        await self._tools.journal.write(self._at)
        await self._tools.announce(self.event())

    def _note(self, **changes: Any) -> None:
        self._at = self._at.model_copy(update=changes)

    async def _over(self, last: RuntimeEvent) -> RuntimeEvent:
        """The journal keeps it until its end is announced: an agent killed before announces it."""
        if self._engine is not None:
            await self._engine.forget()
        self.last = last
        await self._tools.announce(last)
        await self._tools.journal.remove(self.record.instance_id)
        return last
