"""A host whose agent and engines do what agents do, and fail as hosts fail.

It follows the rules of `runtime_agent/supervisor.py` and `lanes.py`: an engine is known by its
instance id, a newer load ends an older one, starts and stops take turns on a device, a drain ends
with the last request or its deadline, a load that is too old is refused. But it begins loads into
memory that is held already, which the supervisor refuses: the orchestrator must not count on that.
What goes wrong is up to the caller. One `tick` is a second.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelium.common import events as ev
from modelium.common.clock import Clock
from modelium.common.records import (
    Device,
    DeviceKind,
    EngineMemory,
    FailureKind,
    Instance,
    InstanceState,
)
from modelium.common.subjects import OLDEST_LOAD_S
from modelium.common.testing import InMemoryBus


@dataclass
class Process:
    """An engine in truth; times by the clock. `holds` is whether it has begun to take memory."""

    instance: Instance
    command: ev.LoadModel
    holds: bool = False
    done_s: float | None = None
    """When the start or stop ends that has begun; None: it waits for its turn, or for nothing."""
    told_s: float | None = None
    """When it was told to stop."""
    drain_s: float = 0.0
    reason: str = ""

    @property
    def device(self) -> str:
        return self.instance.device_ids[0]

    @property
    def changing(self) -> bool:
        """Whether a start or stop of it is going on."""
        return self.done_s is not None


@dataclass
class Host:
    """Its engines outlive its agent. `judge` hears of every process that begins or is stopped."""

    agent_id: str
    devices: tuple[Device, ...]
    bus: InMemoryBus
    clock: Clock
    in_flight: Callable[[str], int]
    judge: Any
    takes_s: float = 2.0
    stops_s: float = 1.0
    up: bool = True
    """False: the agent is dead, or the network to it is; commands wait for it."""
    forgets: int = 0
    """How many commands it acknowledges and forgets, as if it died in between."""
    repeats: bool = False
    """Everything it says is said twice, and every command reaches it twice."""
    late: bool = False
    """What it says is held back."""
    fails: FailureKind | None = None
    """How the next load ends."""
    lie: float = 1.0
    """What it reports of its engines' memory, by what is true."""
    outside_bytes: int = 0
    processes: dict[str, Process] = field(default_factory=dict)
    ended: dict[str, ev.RuntimeEvent] = field(default_factory=dict)
    outbox: list[ev.Message] = field(default_factory=list)
    said: list[ev.RuntimeEvent] = field(default_factory=list)
    epoch: int = 0
    """Of the newest orchestrator that it has heard of."""
    heard_s: float = 0.0
    """When its last heartbeat was sent."""

    async def on_load_model(self, command: ev.LoadModel) -> None:
        """As `Supervisor.load`."""
        if self._forgotten() or self._is_replaced(command):
            return
        for _ in range(2 if self.repeats else 1):
            self._load(command)

    async def on_unload_model(self, command: ev.UnloadModel) -> None:
        """As `Supervisor.tell`."""
        if self._forgotten() or self._is_replaced(command):
            return
        for _ in range(2 if self.repeats else 1):
            self._unload(command)

    async def on_orchestrator_heartbeat(self, heartbeat: ev.OrchestratorHeartbeat) -> None:
        """As `Fence.heard`."""
        self.epoch = max(self.epoch, heartbeat.epoch)

    def _is_replaced(self, command: ev.Command) -> bool:
        """As `Fence.check`: whether who commands it does not lead any more."""
        self.epoch = max(self.epoch, command.epoch or 0)
        return command.epoch is not None and command.epoch < self.epoch

    def _forgotten(self) -> bool:
        self.forgets -= 1
        return self.forgets >= 0

    def _load(self, command: ev.LoadModel) -> None:
        if self._again(command.instance_id) or self._outdated(command):
            return
        if (self.clock.now() - command.occurred_at).total_seconds() > OLDEST_LOAD_S:
            return self._end(_instance(command), ev.RuntimeFailed, kind=FailureKind.CANCELLED)
        same = [p for p in self.processes.values() if p.instance.model == command.model]
        for older in [] if command.is_copy else same:
            self._stop(older, 0.0, "a newer load of the same model was commanded")
        process = Process(_instance(command), command)
        self.processes[command.instance_id] = process
        self._say(process.instance, ev.RuntimeLoading, reserved_bytes=command.reserve_bytes)

    def _unload(self, command: ev.UnloadModel) -> None:
        process = self.processes.get(command.instance_id)
        if process is not None and process.told_s is None:
            self._stop(process, command.drain_deadline_s, command.reason)
        elif not self._again(command.instance_id):
            about = command.model_dump(include={"model", "instance_id", "agent_id", "generation"})
            gone = Instance(**about, device_ids=(), state=InstanceState.UNLOADING)
            self._end(gone, ev.RuntimeUnloaded, reason=command.reason)

    def _again(self, instance_id: str) -> bool:
        process = self.processes.get(instance_id)
        event = self._state_of(process) if process else self.ended.get(instance_id)
        if event is not None:
            again = event.model_dump(exclude={"message_id", "occurred_at"})
            self._post(type(event).model_validate(again))
        return event is not None

    def _outdated(self, command: ev.LoadModel) -> bool:
        live = [p.instance for p in self.processes.values()]
        known = [e.generation for e in (*live, *self.ended.values()) if e.model == command.model]
        return command.generation < max(known, default=0)

    def _stop(self, process: Process, drain_s: float, reason: str) -> None:
        if process.told_s is not None:
            return
        process.told_s, process.drain_s, process.reason = self.clock.monotonic(), drain_s, reason
        loads = process.instance.state is InstanceState.LOADING
        self._become(process, state=InstanceState.UNLOADING)
        self._say(process.instance, ev.RuntimeUnloading, reason=reason)
        if loads:
            self._gone(process, ev.RuntimeUnloaded, reason=reason)  # killed at once

    def tick(self) -> None:
        """Engines go on without their agent; only who would begin something waits for it."""
        now_s = self.clock.monotonic()
        for process in list(self.processes.values()):
            if process.done_s is not None and now_s >= process.done_s:
                self._done(process)
        for process in list(self.processes.values()):
            if self.up and not process.changing and not self._lane_taken(process.device):
                self._begin(process, now_s)

    def _lane_taken(self, device: str) -> bool:
        return any(p.changing and p.device == device for p in self.processes.values())

    def _begin(self, process: Process, now_s: float) -> None:
        if process.instance.state is InstanceState.LOADING:
            process.holds = True
            process.done_s = now_s + self.takes_s
            self.judge.begins(self, process)
        elif process.told_s is not None and self._drained(process, now_s):
            process.done_s = now_s + self.stops_s
            self.judge.stops(self, process, now_s)

    def _drained(self, process: Process, now_s: float) -> bool:
        assert process.told_s is not None
        over = now_s - process.told_s >= process.drain_s
        return over or not self.in_flight(process.instance.instance_id)

    def _done(self, process: Process) -> None:
        process.done_s = None
        if process.instance.state is InstanceState.UNLOADING:
            self._gone(process, ev.RuntimeUnloaded, reason=process.reason)
        elif self.fails is not None:
            kind, self.fails = self.fails, None
            self._gone(process, ev.RuntimeFailed, kind=kind)
        else:
            self._loaded(process)

    def _loaded(self, process: Process) -> None:
        instance = process.instance
        resident = int(instance.reserved_bytes * self.lie)
        self._become(
            process,
            state=InstanceState.LOADED,
            endpoint=f"http://{instance.instance_id}",
            resident_bytes=resident,
            load_s=self.takes_s,
        )
        self._post(self._state_of(process))

    def crash(self, instance_id: str) -> None:
        """The engine is gone; a dead agent finds out when it is back."""
        process = self.processes[instance_id]
        self._gone(process, ev.RuntimeFailed, kind=FailureKind.CRASHED)

    def _gone(self, process: Process, kind: type[ev.RuntimeEvent], /, **fields: Any) -> None:
        del self.processes[process.instance.instance_id]
        self._end(process.instance, kind, **fields)

    def _end(self, instance: Instance, kind: type[ev.RuntimeEvent], /, **fields: Any) -> None:
        if kind is ev.RuntimeFailed:
            fields |= {"reason": "as it is said", "reserved_bytes": instance.reserved_bytes}
            fields |= {"fingerprint": instance.fingerprint, "memory": instance.memory}
        self._say(instance, kind, **fields)
        self.ended[instance.instance_id] = self.said[-1]

    def _state_of(self, process: Process) -> ev.RuntimeEvent:
        about = _about(process.instance)
        match process.instance.state:
            case InstanceState.LOADING:
                bytes_ = process.instance.reserved_bytes
                return ev.RuntimeLoading(**about, reserved_bytes=bytes_)
            case InstanceState.UNLOADING:
                return ev.RuntimeUnloading(**about, reason=process.reason)
        shown = {"endpoint", "fingerprint", "load_s", "reserved_bytes", "resident_bytes"}
        serves = process.instance.model_dump(include=shown)
        return ev.RuntimeLoaded(**about, **serves, memory=process.instance.memory)

    def _say(self, instance: Instance, kind: type[ev.RuntimeEvent], /, **fields: Any) -> None:
        self._post(kind(**_about(instance), **fields))

    def _post(self, event: ev.RuntimeEvent) -> None:
        self.said.append(event)
        self.outbox += [event] * (2 if self.repeats else 1)

    async def speak(self, *, beats: bool = True) -> None:
        """Send what is to be sent: facts as soon as there is a way, heartbeats if there is one."""
        if not self.up:
            return
        while self.outbox and not self.late:
            event = self.outbox.pop(0)
            self.judge.told(event)
            await self.bus.publish(
                event.model_copy(update={"message_id": f"{id(event)}-{len(self.bus.published)}"})
            )
        if beats:
            self.heard_s = self.clock.monotonic()
            await self.bus.publish(self._heartbeat())

    def _heartbeat(self) -> ev.AgentHeartbeat:
        return ev.AgentHeartbeat(
            agent_id=self.agent_id,
            launcher="process",
            devices=tuple(self._measured(device) for device in self.devices),
            instances=tuple(p.instance for p in self.processes.values()),
            occurred_at=self.clock.now(),
        )

    def _measured(self, device: Device) -> Device:
        here = [p.instance for p in self.processes.values() if p.device == device.device_id]
        used = self.outside_bytes + sum(instance.resident_bytes for instance in here)
        return device.model_copy(update={"free_bytes": max(0, device.total_bytes - used)})

    def _become(self, process: Process, **changes: Any) -> None:
        process.instance = process.instance.model_copy(update=changes)


def _about(instance: Instance) -> dict[str, Any]:
    kept = {"model", "instance_id", "agent_id", "device_ids", "generation"}
    return instance.model_dump(include=kept)


def _instance(command: ev.LoadModel) -> Instance:
    return Instance(
        instance_id=command.instance_id,
        model=command.model,
        agent_id=command.agent_id,
        device_ids=command.device_ids,
        generation=command.generation,
        state=InstanceState.LOADING,
        fingerprint=command.fingerprint,
        reserved_bytes=command.reserve_bytes,
        memory=EngineMemory(
            engine="vllm-1.0",
            device_kind=DeviceKind.CPU,
            weight_bytes=command.weight_bytes,
            kv_cache_bytes=command.kv_cache_bytes,
        ),
    )
