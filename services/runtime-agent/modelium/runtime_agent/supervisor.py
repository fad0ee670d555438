"""All engines of this agent: begins their lives, passes orders on, answers for those that ended.

Handlers call `load` and `tell`, which note what is wanted and return. `run` owns the tasks. A
command that was delivered again, or that names an ended generation, changes nothing: what is known
of its engine is announced again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from contextvars import Context, copy_context
from datetime import UTC, datetime
from typing import Any

import structlog

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.errors import Reject, RetryLater
from modelium.common.events import (
    Command,
    LoadModel,
    RuntimeEvent,
    RuntimeFailed,
    RuntimeUnloaded,
    SleepModel,
    UnloadModel,
    WakeModel,
)
from modelium.common.records import Device, DeviceKind, FailureKind, Instance
from modelium.common.subjects import OLDEST_LOAD_S
from modelium.runtime_agent.facts import fact, failed, unloaded
from modelium.runtime_agent.failures import Failure
from modelium.runtime_agent.instance import Life
from modelium.runtime_agent.journal import Entry
from modelium.runtime_agent.launcher import Engine, EngineRecord, record_of
from modelium.runtime_agent.metrics import FAILURES
from modelium.runtime_agent.room import lacks_room
from modelium.runtime_agent.tools import Tools
from modelium.runtime_agent.waiting import first_to_end

STOP_S = 26.0
"""With `KILL_S` it is less than the time in which whoever runs the agent kills it."""
KILL_S = 4.0
REMEMBERED = 200
REPLACED = "a newer load of the same model was commanded"
STOPPING = "the agent is stopped"
TOO_OLD = "The command to load it is too old: its agent or NATS was away, or their clocks differ"
NO_ROOM = "The memory it was to have is held by other engines of this agent"
NEVER_BEGUN = "The load was not begun: its agent was restarted before"

log = structlog.get_logger()


class Supervisor:
    """Owns the lives; everything here runs on one event loop."""

    def __init__(self, tools: Tools, *, agent_id: str) -> None:
        self._tools = tools
        self._agent_id = agent_id
        self._lives: dict[str, Life] = {}
        self._ended: OrderedDict[str, RuntimeEvent] = OrderedDict()
        self._work: asyncio.Queue[tuple[Coroutine[Any, Any, None], Context]] = asyncio.Queue()
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        """Instances whose memory is free again, for the heartbeat."""
        self.measured: tuple[Device, ...] = ()
        """The devices as they were when somebody last asked."""
        self._stopping = False
        self._all_ended = asyncio.Event()

    async def run(self) -> None:
        """Run the lives, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                work, context = await self._work.get()
                group.create_task(work, context=context)

    async def adopt(self) -> None:
        """Take over what an earlier agent has left; call once, before commands arrive.

        Raises:
            DependencyUnavailable: the launcher's own service does not answer.
        """
        entries = {e.record.instance_id: e for e in await self._tools.journal.entries()}
        for engine in await self._tools.launcher.adopt():
            entry = entries.pop(engine.record.instance_id, None)
            log.info("engine.adopted", instance_id=engine.record.instance_id)
            self._begin(engine.record, engine=engine, entry=entry)
        for entry in entries.values():
            self._begin_work(self._announce_lost(entry))

    def load(self, command: LoadModel) -> None:
        """Begin a life, unless this or a newer load attempt is known; older ones are ended, unless
        it is a copy of theirs.

        Raises:
            RetryLater: the agent is being stopped.
        """
        if self._stopping:
            raise RetryLater("this agent is being stopped")
        if self._announced_again(command) or self._is_outdated(command):
            return
        kind = self._kind(command)
        about = command.descriptor
        can_sleep = kind is not None and self._can_sleep(about.runtime, kind, about.task)
        record = record_of(command, kind or DeviceKind.CPU, can_sleep=can_sleep)
        failure = self._refusal(command, kind)
        if failure is not None:
            self._begin_work(self._announce_end(failed(record, failure)))
            return
        for life in () if command.is_copy else self._of_model(command.model):
            life.tell(self._unload(life.record, REPLACED))
        self._begin(record, command=command)

    def tell(self, command: UnloadModel | SleepModel | WakeModel) -> None:
        """Pass an order on; an engine that is not there is unloaded already.

        One that finds no room to wake sleeps on: who commanded it says so again.

        Raises:
            Reject: such engines cannot sleep, or there is none.
        """
        life = self._lives.get(command.instance_id)
        if not isinstance(command, UnloadModel):
            self._ensure_can_sleep(command, life)
        stays = isinstance(command, WakeModel) and life is not None and self._cannot_wake(life)
        if life is not None and not stays and life.tell(command):
            return
        if not self._announced_again(command) and isinstance(command, UnloadModel):
            self._begin_work(self._announce_end(unloaded(command)))

    def instances(self) -> tuple[Instance, ...]:
        """All engines as they are now."""
        return tuple(life.snapshot() for life in self._lives.values() if life.last is None)

    async def devices(self) -> tuple[Device, ...]:
        """All devices as they are now."""
        resident: dict[str, int] = {}
        for life in self._lives.values():
            for device in life.record.device_ids:
                resident[device] = resident.get(device, 0) + life.resident_bytes
        self.measured = await self._tools.devices.measure(resident)
        return self.measured

    async def stop_all(self, drain_s: float) -> None:
        """Unload all engines at once and take no more commands; returns when all have ended.

        Those that have not within `STOP_S` are killed; after `KILL_S` more nobody waits. NATS is
        no longer waited for either.
        """
        self._stopping = True
        self._tools.announce.hurry()
        self._tools.lanes.open()
        for life in self._lives.values():
            life.tell(self._unload(life.record, STOPPING, drain_s))
        clock = self._tools.clock
        if self._lives:
            await first_to_end(self._all_ended.wait(), clock.sleep(STOP_S))
        if self._lives:
            log.warning("engines.killed", instances=list(self._lives))
            await first_to_end(self._kill_all(), clock.sleep(KILL_S))

    async def _kill_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for life in self._lives.values():
                group.create_task(life.kill())
        await self._all_ended.wait()

    def _begin(
        self,
        record: EngineRecord,
        *,
        command: LoadModel | None = None,
        engine: Engine | None = None,
        entry: Entry | None = None,
    ) -> None:
        life = Life(record, self._tools)
        self._lives[record.instance_id] = life
        self._all_ended.clear()
        if command is not None:
            self._begin_work(self._tend(life, life.run(command)))
        elif engine is not None:
            self._begin_work(self._tend(life, life.resume(engine, entry)))

    def _begin_work(self, work: Coroutine[Any, Any, None]) -> None:
        """As part of the trace that the command for it came in."""
        self._work.put_nowait((work, copy_context()))

    async def _tend(self, life: Life, living: Coroutine[Any, Any, RuntimeEvent]) -> None:
        last = await living
        log.info("engine.ended", instance_id=life.record.instance_id, how=last.subject)
        del self._lives[life.record.instance_id]
        self._remember(last)
        self.ended.put_nowait(life.record.instance_id)
        if not self._lives:
            self._all_ended.set()

    async def _announce_lost(self, entry: Entry) -> None:
        """The journal knows of an engine that the launcher does not: it is gone for good."""
        if entry.unload is not None:
            event: RuntimeEvent = fact(RuntimeUnloaded, entry.record, reason=entry.unload.reason)
        elif entry.served:
            reason = "The engine ended while its agent was away, and left nothing behind"
            event = failed(entry.record, Failure(FailureKind.CRASHED, reason))
        else:
            # The entry is written before anything is launched: that is no fault of the model.
            event = failed(entry.record, Failure(FailureKind.CANCELLED, NEVER_BEGUN))
        await self._announce_end(event)
        await self._tools.journal.remove(entry.record.instance_id)

    async def _announce_end(self, event: RuntimeEvent) -> None:
        self._remember(event)
        await self._tools.announce(event)

    def _announced_again(self, command: Command) -> bool:
        """Whether the engine is known; then its state, or how it ended, is told once more."""
        life = self._lives.get(command.instance_id)
        event = life.event() if life else self._ended.get(command.instance_id)
        if event is None:
            return False
        # A new message: the bus drops one with an id that it has seen a moment ago.
        again = type(event).model_validate(event.model_dump(exclude={"message_id", "occurred_at"}))
        self._begin_work(self._tools.announce(again))
        return True

    def _is_outdated(self, command: LoadModel) -> bool:
        lives = [life.record.generation for life in self._of_model(command.model)]
        ended = [e.generation for e in self._ended.values() if e.model == command.model]
        return command.generation < max(lives + ended, default=0)

    def _of_model(self, model: str) -> list[Life]:
        return [life for life in self._lives.values() if life.record.model == model]

    def _kind(self, command: LoadModel) -> DeviceKind | None:
        """Of the devices, if all are this agent's."""
        traits = [self._tools.devices.traits(device) for device in command.device_ids]
        kinds = {t.kind if t else None for t in traits}
        return kinds.pop() if len(kinds) == 1 else None

    def _refusal(self, command: LoadModel, kind: DeviceKind | None) -> Failure | None:
        age_s = (self._tools.clock.now() - _aware(command.occurred_at)).total_seconds()
        if age_s > OLDEST_LOAD_S:
            return Failure(FailureKind.CANCELLED, TOO_OLD)
        if kind is None:
            reason = f"Agent {self._agent_id} does not own {', '.join(command.device_ids)}"
            return Failure(FailureKind.START_FAILED, reason)
        if command.descriptor.runtime not in self._tools.runtimes:
            reason = f"Agent {self._agent_id} cannot run {command.descriptor.runtime} engines"
            return Failure(FailureKind.START_FAILED, reason)
        lives = self._lives.values()
        # Older engines of the same model make room for it.
        others = [life for life in lives if command.is_copy or life.record.model != command.model]
        if lacks_room(self._tools.devices, command.device_ids, command.reserve_bytes, others):
            return Failure(FailureKind.NO_ROOM, NO_ROOM)
        return None

    def _cannot_wake(self, life: Life) -> bool:
        others = [other for other in self._lives.values() if other is not life]
        record, devices = life.record, self._tools.devices
        stays = lacks_room(devices, record.device_ids, record.reserved_bytes, others)
        if stays:
            log.warning("engine.not_woken", instance_id=record.instance_id, reason=NO_ROOM)
        return stays

    def _ensure_can_sleep(self, command: Command, life: Life | None) -> None:
        if life is None:
            raise Reject(f"there is no engine {command.instance_id} on this agent")
        runtime, kind, task = life.record.runtime, life.record.device_kind, life.record.task
        sleeps = isinstance(command, SleepModel)
        if sleeps and not self._can_sleep(runtime, kind, task):
            raise Reject(f"engines on {kind} for {task} cannot sleep with these settings")

    def _can_sleep(self, runtime: RuntimeKind, kind: DeviceKind, task: Task) -> bool:
        known = self._tools.runtimes.get(runtime)
        return known is not None and known.can_sleep(kind, task)

    def _unload(self, record: EngineRecord, reason: str, drain_s: float = 0.0) -> UnloadModel:
        return UnloadModel(
            agent_id=record.agent_id,
            model=record.model,
            instance_id=record.instance_id,
            generation=record.generation,
            reason=reason,
            drain_deadline_s=drain_s,
        )

    def _remember(self, event: RuntimeEvent) -> None:
        if isinstance(event, RuntimeFailed):
            FAILURES.labels(event.model, event.kind).inc()
        self._ended[event.instance_id] = event
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)


def _aware(at: datetime) -> datetime:
    """Messages written by hand may lack the zone: it is UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)
