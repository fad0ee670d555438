"""The one task that owns placement state: everything else posts to it.

It applies what was posted, then decides once for all of it, and carries that out before it looks
at the next. A tick every second makes sure that time alone is noticed too.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.envelope import TRACEPARENT
from modelium.common.events import (
    AgentHeartbeat,
    DecisionMade,
    GatewayStats,
    MemoryMeasured,
    Message,
    ModelStateChanged,
    Wish,
)
from modelium.common.load_settings import Settings
from modelium.common.policies import AppliedPolicies, PoliciesInForce
from modelium.common.records import MemoryRecord, ModelRecord
from modelium.common.tracing import NO_TRACING, Tracing
from modelium.core.decide import decide
from modelium.core.measurements import Measurements
from modelium.core.plan import plan
from modelium.core.policy import memory_policy, policy
from modelium.core.runtimes import enabled_runtimes
from modelium.orchestrator.advising import Advising
from modelium.orchestrator.carrying_out import CarryingOut, publish
from modelium.orchestrator.engines import Found, find
from modelium.orchestrator.fleet_metrics import Fleet
from modelium.orchestrator.lost import LostEngines
from modelium.orchestrator.misnamed import Misnamed
from modelium.orchestrator.orphans import Orphans
from modelium.orchestrator.placement_state import PlacementState
from modelium.orchestrator.planning import Asked
from modelium.orchestrator.sleepers import obstacle_now
from modelium.orchestrator.views import Numbers, snapshot
from modelium.orchestrator.wishes import WANTED_FOR_S

TICK_S: Final = 1.0
HELD_UP_S: Final = 5.0
"""A pause this long between two rounds is ours: nobody's silence in it counts."""
STALE_AFTER: Final = timedelta(seconds=WANTED_FOR_S)
"""A request that was stored longer ago is nobody's any more; gateways repeat theirs."""


@dataclass(frozen=True)
class Ticked:
    """A second has passed."""


@dataclass(frozen=True)
class Resynced:
    """The store was read as a whole."""

    records: Sequence[ModelRecord]
    agents: Sequence[str]
    memory: Sequence[MemoryRecord]
    policies: AppliedPolicies | None = None


@dataclass(frozen=True)
class TermBegan:
    """This orchestrator leads from now on."""


@dataclass(frozen=True)
class TermEnded:
    """It does not lead any more."""


log = structlog.get_logger()

Posted = Message | Ticked | Resynced | Asked | TermBegan | TermEnded


class Owner:
    """Run `run` in one task and `tick` in another; `post` from anywhere on the loop.

    One that does not lead applies what is posted, and does nothing else.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        clock: Clock,
        settings: Settings,
        policies: PoliciesInForce | None = None,
        leads: bool = True,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._tracing = tracing
        now_s = clock.monotonic()
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._leads = leads
        self.policies = policies or PoliciesInForce(settings.orchestration.policies)
        """Only to be read by others."""
        self._numbers = _numbers(settings)
        self._inbox: asyncio.Queue[tuple[Posted, str | None]] = asyncio.Queue()
        """What was posted, and the trace that it was posted in."""
        self._state = PlacementState(now_s)
        self._questions: list[Asked] = []
        self._acted_at_s = now_s
        self._remember_nothing_done(now_s)

    def _remember_nothing_done(self, now_s: float) -> None:
        """What was done and said before this term was another's doing."""
        self._lost = LostEngines()
        self._orphans = Orphans()
        self._misnamed = Misnamed(self._numbers.policy.always_loaded)
        self._said_by_brain: list[DecisionMade] = []
        self._carrying_out = CarryingOut(
            bus=self._bus,
            state=self._state,
            memory=self._numbers.memory,
            policy=self._numbers.policy,
            tracing=self._tracing,
        )
        self._advising = Advising(
            bus=self._bus,
            state=self._state,
            settings=self._settings,
            policy=self._numbers.policy,
            now_s=now_s,
        )

    def post(self, posted: Posted) -> None:
        """Hand it over; it is applied in the order of posting."""
        self._inbox.put_nowait((posted, TRACEPARENT.get()))

    async def tick(self) -> None:
        """Post a tick every second, until cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            self.post(Ticked())

    def look(self) -> Fleet | None:
        """All that it knows now, only to be read; None while it does not decide."""
        now_s = self._clock.monotonic()
        if not (self._leads and self._state.is_ready(now_s)):
            return None
        found = find(self._state, now_s)
        seen = snapshot(self._state, self._numbers, now_s, self._clock.now(), found)
        return Fleet(self._state, found, seen, self._numbers.policy, now_s)

    async def run(self) -> None:
        """Apply, decide, carry out, until cancelled."""
        while True:
            self._apply(*await self._inbox.get())
            while not self._inbox.empty():
                self._apply(*self._inbox.get_nowait())
            await self._act()

    def _apply(self, posted: Posted, trace: str | None) -> None:
        state, now_s, now = self._state, self._clock.monotonic(), self._clock.now()
        match posted:
            case ModelStateChanged(record=None):
                state.forget(posted.model)
            case ModelStateChanged(record=ModelRecord() as record):
                state.changed(record, now_s, now)
            case AgentHeartbeat():
                state.heard_agent(posted, now_s)
            case GatewayStats():
                state.heard_gateway(posted, now_s)
            case Resynced(records, agents, memory, policies):
                self._use(policies)
                state.measurements = Measurements(memory)
                state.resynced(records, agents, now_s, now)
                self._warn_of_misnamed(now_s)
            case Wish() if now - posted.occurred_at < STALE_AFTER:
                self._state.wished(posted, now_s)
                self._state.demand.traces.note(posted.model, trace)
            case DecisionMade() | MemoryMeasured() | Asked():
                self._noted(posted)
            case _:
                self._lead(posted, now_s)

    def _lead(self, posted: Posted, now_s: float) -> None:
        if isinstance(posted, TermBegan):
            self._leads = True
            self._state.begin_term(now_s)
            self._remember_nothing_done(now_s)
        elif isinstance(posted, TermEnded):
            self._leads = False

    def _use(self, applied: AppliedPolicies | None) -> None:
        changed = self.policies.use(applied)
        if not changed:
            return
        log.info("policies.changed", **changed)
        current = policy(self.policies.current)
        self._numbers = replace(self._numbers, policy=current)
        self._advising.policy = current
        self._misnamed.names = current.always_loaded
        self._carrying_out.policy = current

    def _warn_of_misnamed(self, now_s: float) -> None:
        if names := self._misnamed.find(self._state.records, now_s):
            setting = "orchestration.policies.always_loaded"
            log.warning("always_loaded.no_such_model", models=names, setting=setting)

    def _noted(self, message: DecisionMade | MemoryMeasured | Asked) -> None:
        if isinstance(message, Asked):
            self._questions.append(message)
        elif isinstance(message, MemoryMeasured):
            self._state.measurements = self._state.measurements.with_record(message.record)
        elif message.origin == "brain" and message.plan is None and not message.shadow:
            self._said_by_brain.append(message)

    def sleep_obstacle(self, model: str) -> str | None:
        """Why it cannot be put to sleep now; empty: it can; None: it does not know the model.

        Only reads, and what is read may be another after the next decision.
        """
        now_s = self._clock.monotonic()
        return obstacle_now(self._state, model, self._numbers.policy.deepest_sleep, now_s)

    async def _act(self) -> None:
        now_s = self._clock.monotonic()
        if not self._bus.connected or now_s - self._acted_at_s > HELD_UP_S:
            self._state.agents.excuse(now_s)
            self._lost.excuse()
        self._acted_at_s = now_s
        self._state.expire(now_s)
        self._state.crowds.look(
            self._state.records.values(), self._state.demand, self._numbers.policy, now_s
        )
        ready = self._leads and self._bus.connected and self._state.is_ready(now_s)
        if ready:
            found = find(self._state, now_s)
            await self._report_lost(found, now_s)
            await self._decide(found, now_s)
            await self._tidy(found, now_s)
        self._answer(ready, now_s)

    async def _report_lost(self, found: Found, now_s: float) -> None:
        for failed in self._lost.find(found, self._state, now_s):
            if not await publish(self._bus, failed):
                self._lost.reported.discard(failed.instance_id)

    async def _decide(self, found: Found, now_s: float) -> None:
        seen = snapshot(self._state, self._numbers, now_s, self._clock.now(), found)
        said, self._said_by_brain = self._said_by_brain, []
        for message in said:
            await self._advising.brain_said(message, seen, now_s)
        await self._advising.tick_if_due(seen, now_s)
        advice = self._advising.advice
        actions = decide(
            seen, advice.current(now_s), self._numbers.policy, advice_age_s=advice.age_s(now_s)
        )
        await self._carrying_out.actions(actions, seen, now_s)

    def _answer(self, ready: bool, now_s: float) -> None:
        """Tell those who asked what the next decision would be, after all that was just decided."""
        questions, self._questions = self._questions, []
        if not questions:
            return
        seen = snapshot(self._state, self._numbers, now_s, self._clock.now())
        planned = partial(
            plan,
            seen,
            policy=self._numbers.policy,
            advice=self._advising.advice.current(now_s),
            advice_age_s=self._advising.advice.age_s(now_s),
        )
        for question in questions:
            question.tell(planned if ready else None)

    async def _tidy(self, found: Found, now_s: float) -> None:
        await self._carrying_out.again(now_s)
        for orphan in self._orphans.to_stop(found.orphans, self._state, now_s):
            await self._carrying_out.stop_orphan(orphan, now_s)


def _numbers(settings: Settings) -> Numbers:
    return Numbers(
        memory=memory_policy(settings.vllm, settings.ray_serve),
        policy=policy(settings.orchestration.policies),
        runtimes=enabled_runtimes(settings.vllm, settings.ray_serve),
    )
