"""Now and then replays the recent demand by other policies, and applies what is clearly better.

Applied as an operator does it: written where all services read it, with what was there before. What
an operator has set is never changed, and what he applies ends what was tuned.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog

from modelium.brain.demand import Demand
from modelium.brain.tuning.job import Done, Job
from modelium.brain.tuning.proposing import Proposing
from modelium.brain.tuning.replaying import NotReplayed, TookTooLong
from modelium.common.advice import TuningStatus
from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.errors import Conflict, DependencyUnavailable
from modelium.common.events import PoliciesChanged
from modelium.common.policies import AppliedPolicies, PoliciesInForce, Tuned, changes
from modelium.common.settings_policies import Policies
from modelium.common.store import PoliciesStore
from modelium.core.tuning import CURRENT, ENOUGH_COLD, Streak, Verdict, candidates, verdict

LEAST_SHARE: Final = 1 / 16
"""Of the demand that is replayed, however long a round takes."""
SPARE_RATIO: Final = 0.4
"""A round that took no more than this of its CPU time can be twice as long, and a little slower."""

log = structlog.get_logger()

Replay = Callable[[Job], Awaitable[Done]]


class Tuner:
    """Run `run` in a task."""

    def __init__(
        self,
        *,
        demand: Demand,
        policies: PoliciesInForce,
        proposing: Proposing,
        replay: Replay,
        every_s: float,
        interval_s: float,
        patience_s: float,
        store: PoliciesStore,
        bus: Bus,
        clock: Clock,
    ) -> None:
        """`interval_s`: the decision interval; `patience_s`: gateways refuse who waits longer."""
        self._demand = demand
        self._policies = policies
        self._proposing = proposing
        self._replay = replay
        self._every_s = every_s
        self._interval_s = interval_s
        self._patience_s = patience_s
        self._store = store
        self._bus = bus
        self._clock = clock
        self._streak = Streak()
        self._tried: Policies | None = None
        """What was in force in the last round."""
        self._share = 1.0
        """Of the demand that is replayed: as much as the CPU time is enough for."""
        self._rounds = 0
        self._last = ""

    async def run(self) -> None:
        """A round each time, until cancelled."""
        while True:
            await self._clock.sleep(self._every_s)
            try:
                self._last = await self._round()
            except (NotReplayed, DependencyUnavailable, Conflict) as wrong:
                self._last = f"given up: {wrong}"
            log.info("tuning.round", result=self._last)

    async def _round(self) -> str:
        """What came of it, for people."""
        if self._demand.sleeps:
            return "engines can sleep here, and replays know nothing of the host memory for that"
        now = self._policies.current
        self._begin_anew_after_a_change(now)
        rivals = candidates(now, self._policies.settled) | self._proposing.candidates(now)
        requests = self._demand.newest(self._share)
        if len(requests) < ENOUGH_COLD or not rivals:
            return f"{len(requests)} requests and {len(rivals)} candidates, too few to replay"
        job = Job(
            requests=requests,
            needs=self._demand.needs,
            devices=self._demand.devices,
            device_bytes=self._demand.device_bytes,
            candidates={CURRENT: now, **rivals},
            interval_s=self._interval_s,
            patience_s=self._patience_s,
        )
        done = await self._replayed(job)
        won = verdict(done.replayed)
        self._streak = self._streak.after(won)
        if not won.winner:
            return won.reason
        if not self._streak.is_enough:
            return f"{won.winner} won, and must win once more: {won.reason}"
        return await self._apply(now, rivals[won.winner], won)

    async def _replayed(self, job: Job) -> Done:
        """The next takes half as much if this takes too long, twice as much if there is time."""
        try:
            done = await self._replay(job)
        except TookTooLong:
            self._share = max(LEAST_SHARE, self._share / 2)
            raise
        if done.spent_ratio <= SPARE_RATIO:
            self._share = min(1.0, self._share * 2)
        self._rounds += 1
        return done

    def _begin_anew_after_a_change(self, now: Policies) -> None:
        """Whoever changed them, an operator or another brain: what follows is judged."""
        if self._tried not in (None, now):
            self._streak = Streak()
            self._demand.forget()
        self._tried = now

    async def _apply(self, now: Policies, policies: Policies, won: Verdict) -> str:
        """Nothing but what has won changes, in what is stored as in what counts."""
        stored = await self._store.get()
        self._policies.use(stored)  # somebody may have applied others a moment ago
        changed = changes(now, policies)
        if self._policies.current != now or changed.keys() & self._policies.settled:
            return "the policies were changed in the meantime"
        before = stored.tuned.names if stored and stored.tuned else ()
        tuned = Tuned(names=tuple(sorted({*before, *changed})), reason=won.reason)
        saved = await self._store.save(
            self._with(stored, policies, changed).model_copy(update={"tuned": tuned})
        )
        self._policies.use(saved)
        self._begin_anew_after_a_change(self._policies.current)
        log.info("policies.tuned", reason=won.reason, **changed)
        await self._bus.publish(PoliciesChanged(changes=changed, reason=won.reason))
        return f"applied: {won.reason}"

    def _with(
        self, stored: AppliedPolicies | None, policies: Policies, names: Iterable[str]
    ) -> AppliedPolicies:
        """The record in which these become as in `policies`."""
        configured = self._policies.configured
        if stored is None:
            return AppliedPolicies(policies=policies, instead_of=configured)
        new = {name: getattr(policies, name) for name in names}
        old = {name: getattr(configured, name) for name in names}
        return stored.model_copy(
            update={
                "policies": stored.policies.model_copy(update=new),
                "instead_of": stored.instead_of.model_copy(update=old),
            }
        )

    def status(self) -> TuningStatus:
        """For people."""
        return TuningStatus(
            requests=len(self._demand.newest()),
            rounds=self._rounds,
            last=self._last,
            changed=self._policies.tuned_because,
        )
