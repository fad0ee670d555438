"""A gateway as orchestrator and agents see it: who waits, and who is served by which engine."""

from collections.abc import Callable
from dataclasses import dataclass, field

from modelium.common.clock import Clock
from modelium.common.events import GatewayStats, ModelRequested
from modelium.common.figures import GatewayModelStats
from modelium.common.origins import BY_GATEWAY
from modelium.common.records import ModelRecord, ModelState
from modelium.common.testing import InMemoryBus


@dataclass
class Front:
    """Requests wait without end of their own: they are served, refused, or lost with an engine."""

    bus: InMemoryBus
    clock: Clock
    serves: Callable[[str], bool]
    """Whether there is a loaded engine of this instance id in truth."""
    lasts_s: float = 1.0
    mute: bool = False
    """Its next figures are lost."""
    waits_s: dict[str, list[float]] = field(default_factory=dict)
    ends_s: dict[str, list[float]] = field(default_factory=dict)
    """Instance id to when each of its requests ends."""
    ended: dict[str, int] = field(default_factory=dict)
    used_s: dict[str, float] = field(default_factory=dict)
    longest_s: float = 0.0
    wishes: list[str] = field(default_factory=list)

    async def ask(self, model: str, count: int = 1) -> None:
        """Requests arrive, and the wish for the model is published as a gateway does."""
        self.waits_s.setdefault(model, []).extend([self.clock.monotonic()] * count)
        await self._wish(model)

    async def _wish(self, model: str) -> None:
        await self.bus.publish(
            ModelRequested(model=model, requested_by=BY_GATEWAY, occurred_at=self.clock.now())
        )

    def in_flight(self, instance_id: str) -> int:
        return len(self.ends_s.get(instance_id, []))

    def serve(self, record: ModelRecord) -> None:
        """Let those that wait go to the engines that the record names."""
        now_s, waiting = self.clock.monotonic(), self.waits_s.get(record.model, [])
        routed = record.endpoints if record.state is ModelState.LOADED else ()
        serving = [e.instance_id for e in routed if self.serves(e.instance_id)]
        if serving and waiting:
            self.longest_s = max(self.longest_s, now_s - waiting[0])
            for _ in waiting:
                engine = min(serving, key=self.in_flight)
                self.ends_s.setdefault(engine, []).append(now_s + self.lasts_s)
            waiting.clear()

    def end(self) -> None:
        """Requests end in time, or with their engine."""
        now_s = self.clock.monotonic()
        for engine, ends_s in list(self.ends_s.items()):
            left = [end_s for end_s in ends_s if end_s > now_s and self.serves(engine)]
            model = engine.rpartition(".")[0]
            self.ended[model] = self.ended.get(model, 0) + len(ends_s) - len(left)
            self.used_s[model] = now_s
            self.ends_s[engine] = left
            if not left:
                del self.ends_s[engine]

    def refuse(self, model: str) -> None:
        """Nobody waits for it any more; the gateway has it looked at again."""
        self.waits_s.pop(model, None)
        self.wishes.append(model)

    async def speak(self, records: list[ModelRecord]) -> None:
        """Its wishes, and its figures unless they are lost."""
        while self.wishes:
            await self._wish(self.wishes.pop())
        if not self.mute:
            models = tuple(self._stats(record) for record in records)
            await self.bus.publish(GatewayStats(gateway_id="gw", models=models))
        self.mute = False

    def _stats(self, record: ModelRecord) -> GatewayModelStats:
        now_s, model = self.clock.monotonic(), record.model
        waiting = self.waits_s.get(model, [])
        serving = {
            int(engine.rpartition(".")[2]): len(ends)
            for engine, ends in self.ends_s.items()
            if engine.rpartition(".")[0] == model
        }
        used_s = self.used_s.get(model)
        routed = record.endpoints if record.state is ModelState.LOADED else ()
        return GatewayModelStats(
            model=model,
            requests=self.ended.get(model, 0),
            failures=0,
            in_flight=sum(serving.values()),
            waiting=len(waiting),
            oldest_wait_s=now_s - waiting[0] if waiting else 0.0,
            idle_s=None if used_s is None or serving else now_s - used_s,
            routed_generations=tuple(endpoint.generation for endpoint in routed),
            in_flight_generations=serving,
        )
