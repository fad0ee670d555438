"""Engines as NATS tells of them: how often they are started and stopped, and a ledger beside ours.

The ledger here is kept from commands and facts alone: from the command to load an engine until its
agent says that it has ended, its bytes count on each of its devices. One whose agent was lost may
still run, so it counts on.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import nats
from nats.aio.msg import Msg

from modelium.common import events as ev
from modelium.common.records import FailureKind
from modelium.common.subjects import subject_for

_FACTS = (ev.RuntimeLoaded, ev.RuntimeUnloading, ev.RuntimeUnloaded, ev.RuntimeFailed)
_KINDS: tuple[type[ev.Message], ...] = (ev.AgentHeartbeat, ev.LoadModel, *_FACTS)


@dataclass
class Engines:
    """What was heard so far."""

    budgets: dict[str, int] = field(default_factory=dict)
    """Device to its bytes."""
    held: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)
    """Engine to its devices, and what it holds of each."""
    most: Counter[str] = field(default_factory=Counter)
    """Device to the most that was ever held of it."""
    most_engines: int = 0
    """That held memory at the same time."""
    places: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Engine to its devices, those that have ended included."""
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    load_s: dict[str, float] = field(default_factory=dict)
    """Engine to how long its load took."""
    serving: dict[str, str] = field(default_factory=dict)
    """Model to its engine, if that takes requests."""
    heard: set[str] = field(default_factory=set)

    def serves(self, model: str) -> bool:
        """Whether an engine of it takes requests."""
        return model in self.serving

    def hear(self, event: ev.Message) -> None:
        """One message more; one that is heard again changes nothing."""
        if event.message_id in self.heard:
            return
        self.heard.add(event.message_id)
        match event:
            case ev.AgentHeartbeat():
                self.budgets |= {d.device_id: d.total_bytes for d in event.devices}
            case ev.LoadModel():
                self.counts["loads"] += event.instance_id not in self.places
                self._hold(event.instance_id, event.device_ids, event.reserve_bytes)
            case ev.RuntimeLoaded():
                self.serving[event.model] = event.instance_id
                self.load_s.setdefault(event.instance_id, event.load_s or 0.0)
                held = max(event.reserved_bytes, event.resident_bytes)
                self._hold(event.instance_id, event.device_ids, held)
            case ev.RuntimeUnloading() | ev.RuntimeUnloaded() | ev.RuntimeFailed():
                self._leave(event)

    def _leave(self, event: ev.RuntimeEvent) -> None:
        if self.serving.get(event.model) == event.instance_id:
            del self.serving[event.model]
        if isinstance(event, ev.RuntimeUnloading):
            return
        if isinstance(event, ev.RuntimeFailed):
            lost = event.kind is FailureKind.LOST
            self.counts["lost" if lost else "failed"] += 1
            self.failures.append(f"{event.instance_id}: {event.kind}: {event.reason}")
            if lost:
                return
        # It is said again for every command that comes too late.
        elif event.instance_id in self.held:
            self.counts["unloads"] += 1
        self.held.pop(event.instance_id, None)

    def _hold(self, instance: str, devices: tuple[str, ...], bytes_: int) -> None:
        self.places[instance] = devices
        self.held[instance] = (devices, bytes_)
        self.most_engines = max(self.most_engines, len(self.held))
        for device in devices:
            now = sum(held for where, held in self.held.values() if device in where)
            self.most[device] = max(self.most[device], now)

    def over_budget(self) -> list[str]:
        """A sentence for each device of which more was promised than there is."""
        return [
            f"{device}: {most:,} bytes were promised of {self.budgets[device]:,}"
            for device, most in sorted(self.most.items())
            if most > self.budgets[device]
        ]


@asynccontextmanager
async def listening(nats_url: str) -> AsyncIterator[Engines]:
    """Hear everything from now on."""
    engines = Engines()
    client = await nats.connect(nats_url)

    async def note(message: Msg) -> None:
        for kind in _KINDS:
            if fnmatchcase(message.subject, subject_for(kind)):
                engines.hear(kind.model_validate_json(message.data))

    # All in one subscription: messages of several would not come in their order. It hears what
    # the server delivers to the services as well, later and under the same ids.
    await client.subscribe(">", cb=note)
    await client.flush()
    try:
        yield engines
    finally:
        await client.close()
