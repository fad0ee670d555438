"""The rules of placement, judged by commands and by what hosts hold; the orchestrator is not asked.

`disturbed` is called whenever something fails: whoever waited then may have to be refused.
"""

import math
from dataclasses import dataclass, field

from modelium.common import events as ev
from modelium.common.clock import Clock
from modelium.common.records import (
    LIVE_STATES,
    FailureKind,
    Instance,
    InstanceState,
    ModelRecord,
)
from tests.properties.fleet_parts import Broken
from tests.properties.front import Front
from tests.properties.unruly import Host, Process

HEARD_S = 3.0
"""Of a host whose heartbeat is not older the orchestrator knows what runs there."""
RESYNCED_S = 35.0
"""By then the orchestrator has made up for every message that it missed."""
SLACK_S = 3.0
"""A tick, and the messages between the three who decide, load and serve."""


@dataclass
class Judge:
    """Knows all hosts, and what was ever commanded."""

    clock: Clock
    drain_s: float
    pinned: frozenset[str]
    hosts: list[Host] = field(default_factory=list)
    front: Front | None = None
    most: int = 1
    """Engines of one model."""
    newest: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, int] = field(default_factory=dict)
    """Model to the newest load that was not beside another."""
    shown: dict[str, ModelRecord] = field(default_factory=dict)
    """What everybody has read last."""
    ended: set[str] = field(default_factory=set)
    """Instances whose end was told."""
    copied: int = 0
    commanded: set[str] = field(default_factory=set)
    over: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Model to the newest generation whose end was told, and when."""
    disturbed_s: float = 0.0
    epoch: int = 0
    """Of the newest orchestrator that has said that it leads; 0: there is only one."""
    bounds_s: dict[str, float] = field(default_factory=dict)
    """As published in the ticks: the highest since anybody waits."""

    def disturbed(self) -> None:
        self.disturbed_s = self.clock.monotonic()

    def sent(self, message: ev.Message) -> None:
        """What an orchestrator publishes."""
        self._by_whom(message)
        if isinstance(message, ev.LoadModel):
            over, over_s = self.over.get(message.model, (0, 0.0))
            if message.generation <= over and self.clock.monotonic() - over_s > RESYNCED_S:
                raise Broken("generation", message)
            if message.instance_id not in self.commanded:
                self._new_load(message)
        elif isinstance(message, ev.UnloadModel):
            self._unload(message)
        elif isinstance(message, ev.MetricsTick):
            for model in message.models:
                known_s = self.bounds_s.get(model.model, 0.0)
                self.bounds_s[model.model] = max(known_s, model.wait_bound_s)

    def _by_whom(self, message: ev.Message) -> None:
        """Nobody commands any more once another has said that it leads."""
        if isinstance(message, ev.OrchestratorHeartbeat):
            self.epoch = max(self.epoch, message.epoch)
        if isinstance(message, ev.Command) and (message.epoch or 0) < self.epoch:
            raise Broken("fence", message)

    def _new_load(self, load: ev.LoadModel) -> None:
        self.commanded.add(load.instance_id)
        if load.generation <= self.newest.get(load.model, 0):
            raise Broken("generation", load)
        self.newest[load.model] = load.generation
        if load.is_copy:
            self._copy(load)
        else:
            first, self.firsts[load.model] = self.firsts.get(load.model), load.generation
            for engine in self._known_engines(load.model):
                # Older ones were replaced while their host was lost.
                if engine.generation == first:
                    raise Broken("single_flight", (load, engine))
        host = next(host for host in self.hosts if host.agent_id == load.agent_id)
        if host in self._known_hosts():
            self._room(host, load)

    def _copy(self, load: ev.LoadModel) -> None:
        self.copied += 1
        shown = self.shown[load.model]
        if len(shown.copies) + 1 >= self.most:
            raise Broken("copy_maximum", (load, shown))
        for engine in self._known_engines(load.model):
            if not set(load.device_ids).isdisjoint(engine.device_ids):
                raise Broken("copy_elsewhere", (load, engine))

    def _known_engines(self, model: str) -> list[Instance]:
        processes = (p for host in self._known_hosts() for p in host.processes.values())
        return [p.instance for p in processes if p.instance.model == model]

    def _room(self, host: Host, load: ev.LoadModel) -> None:
        here = [p for p in host.processes.values() if p.device in load.device_ids]
        if any(p.instance.state is not InstanceState.LOADED for p in here):
            raise Broken("one_at_a_time", (load, here))
        total = next(d.total_bytes for d in host.devices if d.device_id in load.device_ids)
        if sum(p.command.reserve_bytes for p in here) + load.reserve_bytes > total:
            raise Broken("ledger", (load, here))

    def _unload(self, unload: ev.UnloadModel) -> None:
        if unload.model in self.pinned and self._is_its_engine(unload):
            raise Broken("pinned", unload)

    def _is_its_engine(self, unload: ev.UnloadModel) -> bool:
        """Its only one, and not one that another has replaced."""
        shown = self.shown.get(unload.model)
        only = shown is not None and shown.state in LIVE_STATES and not shown.copies
        return only and shown is not None and shown.generation == unload.generation

    def _known_hosts(self) -> list[Host]:
        now_s = self.clock.monotonic()
        return [h for h in self.hosts if h.up and not h.late and now_s - h.heard_s <= HEARD_S]

    def begins(self, host: Host, process: Process) -> None:
        """A start begins to take memory."""
        here = [p for p in host.processes.values() if p.holds and p.device == process.device]
        total = next(d.total_bytes for d in host.devices if d.device_id == process.device)
        if sum(p.command.reserve_bytes for p in here) > total:
            raise Broken("ledger", here)

    def stops(self, host: Host, process: Process, now_s: float) -> None:
        """A stop begins; whoever is served still is cut off."""
        assert process.told_s is not None
        busy = host.in_flight(process.instance.instance_id)
        if busy and now_s - process.told_s < self.drain_s and process.reason:
            raise Broken("drain", process)

    def told(self, event: ev.RuntimeEvent) -> None:
        """What a host publishes: from its end on a generation is over."""
        ends = isinstance(event, ev.RuntimeUnloaded | ev.RuntimeFailed)
        if ends and getattr(event, "kind", None) is not FailureKind.LOST:
            self.ended.add(event.instance_id)
            known = self.over.get(event.model, (0, 0.0))
            if event.generation > known[0]:
                self.over[event.model] = event.generation, self.clock.monotonic()

    def records(self, records: list[ModelRecord]) -> None:
        """What everybody reads: nobody is led to an engine that is over, nobody waits too long."""
        for record in records:
            self.shown[record.model] = record
            live = {record.instance_id} if record.state in LIVE_STATES else set()
            if not self.ended.isdisjoint(live | {copy.instance_id for copy in record.copies}):
                raise Broken("stale_generation", record)
            self._waits(record)

    def _waits(self, record: ModelRecord) -> None:
        assert self.front is not None
        waiting, now_s = self.front.waits_s.get(record.model, []), self.clock.monotonic()
        if not waiting:
            self.bounds_s.pop(record.model, None)
            return
        if self._refused(record):
            self._judge_refusal(record, waiting[0])
            self.front.refuse(record.model)
            return
        bound_s = self.bounds_s.get(record.model, math.inf)
        if now_s - waiting[0] > bound_s + SLACK_S and not self._loads(record.model):
            raise Broken("bound", (record, now_s - waiting[0], bound_s))

    def _loads(self, model: str) -> bool:
        """A load under way ends by its own deadline."""
        return any(
            p.instance.model == model and p.instance.state is InstanceState.LOADING
            for host in self.hosts
            for p in host.processes.values()
        )

    def _refused(self, record: ModelRecord) -> bool:
        """As a gateway does."""
        backs_off = record.retry_at is not None and record.retry_at > self.clock.now()
        hopeless = backs_off and (record.failures > 1 or record.load_s is None)
        return (record.refused and record.state not in LIVE_STATES) or hopeless

    def _judge_refusal(self, record: ModelRecord, since_s: float) -> None:
        """For its age nobody is refused whose wait nothing has disturbed."""
        if "nobody waits for it longer" in record.reason and since_s > self.disturbed_s:
            raise Broken("served", record)
