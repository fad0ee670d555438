"""What advice has cost: two answers to one question, judged by what then happened. Pure.

Costs are seconds of waiting, summed over requests. What would have happened under the advice that
was not followed is not known, so both are judged by the same facts, which hardly depend on either:
when the model was asked for next, by how many, and for how long others wanted its memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from modelium.common.advice import MetricsTick, Standing
from modelium.common.figures import DecidedAction, DecisionSource, DeviceFigures, ModelFigures
from modelium.common.records import ModelState

WAKE_SHARE: Final = 0.1
"""Of a load, which a wake takes: 2.9 s of 47 s and 5.4 s of 98 s on an A100 (vLLM's measurements of
October 2025), rounded up."""
IDLE_LOAD_SHARE: Final = 0.1
"""Of a load that nobody used: it kept a device busy and took memory, but made nobody wait yet."""
HORIZON_LOADS: Final = 4.0
SHORTEST_HORIZON_S: Final = 60.0
"""A disagreement is judged after this, or after so many times what a load takes."""
KEPT: Final = 0.95
"""Of what was judged before, at each judgement: twenty judgements ago count a third."""
ENOUGH: Final = 20
"""Judgements before the lead may change."""
EARNS_S: Final = 0.5
"""Seconds of waiting, for each disagreement, that must be saved to lead; to go on leading, none may
be lost. Between the two nothing changes."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """One model of which the language model and the rules wanted different things."""

    model: str
    at_s: float
    llm: DecidedAction
    rules: DecidedAction
    figures: ModelFigures
    load_s: float
    llm_id: str = ""
    rules_id: str = ""
    """Of the two decisions."""
    used_at_s: float | None = None
    """When it was asked for first since."""
    requests: float = 0.0
    """That came while it would have been away."""
    others_waited_s: float = 0.0
    """For how long others wanted the memory that it held, or would have held."""

    @property
    def judged_at_s(self) -> float:
        """When enough has happened since."""
        return self.at_s + max(SHORTEST_HORIZON_S, HORIZON_LOADS * self.load_s)

    def seen(self, tick: MetricsTick, now_s: float) -> "Dispute":
        """With what one more tick says."""
        mine = next((m for m in tick.models if m.model == self.model), None)
        if mine is None:
            return self
        asked = mine.waiting > 0 or mine.in_flight > 0 or mine.rate_per_s > 0
        used_at_s = now_s if asked and self.used_at_s is None else self.used_at_s
        away = used_at_s is not None and now_s - used_at_s <= self.load_s
        came = max(mine.waiting, mine.rate_per_s * tick.interval_s) if away else 0.0
        waited_s = tick.interval_s if not asked and self._is_in_the_way(tick) else 0.0
        return replace(
            self,
            used_at_s=used_at_s,
            requests=self.requests + came,
            others_waited_s=self.others_waited_s + waited_s,
        )

    def _is_in_the_way(self, tick: MetricsTick) -> bool:
        """Whether somebody waits for memory that this one's would be enough for."""
        held = self.figures.held_bytes or self.figures.needed_bytes
        free = max((d.free_bytes for d in tick.devices), default=0)
        return any(
            m.waiting and m.model != self.model and free < m.needed_bytes <= free + held
            for m in tick.models
        )


def dispute(
    figures: ModelFigures,
    *,
    llm: DecidedAction,
    rules: DecidedAction,
    now_s: float,
    unknown_load_s: float,
) -> Dispute:
    """A new one; `unknown_load_s` is what a load is taken to last that was never measured."""
    load_s = unknown_load_s if figures.reload_s is None else figures.reload_s
    return Dispute(figures.model, now_s, llm, rules, figures, load_s)


def counted(
    action: DecidedAction, figures: ModelFigures, devices: Iterable[DeviceFigures]
) -> DecidedAction:
    """What counts of it: a load for which there is no room is dropped by the guard.

    Otherwise whoever says to load everything would be given what those loads would have saved.
    """
    if action not in (DecidedAction.LOAD, DecidedAction.WAKE):
        return action
    more_bytes = figures.needed_bytes - figures.held_bytes
    return action if any(more_bytes <= d.free_bytes for d in devices) else DecidedAction.KEEP


def cost_s(action: DecidedAction, case: Dispute) -> float:
    """Seconds of waiting that the action cost, by what happened."""
    requests = max(1.0, case.requests)
    used = case.used_at_s is not None
    cold = case.figures.state is not ModelState.LOADED
    match action:
        case DecidedAction.EVICT:
            return case.load_s * requests if used else 0.0
        case DecidedAction.SLEEP:
            return WAKE_SHARE * case.load_s * requests if used else 0.0
        case DecidedAction.LOAD | DecidedAction.WAKE:
            return _cost_of_readiness(action, case, requests)
    if cold:
        return _comeback_s(case) * requests if used else 0.0
    return case.others_waited_s


def outcome(action: DecidedAction, other: DecidedAction, case: Dispute) -> str:
    """What came of `action`, beside what the `other` one would have cost."""
    used = (
        "not asked for since"
        if case.used_at_s is None
        else f"asked for after {case.used_at_s - case.at_s:.0f} s"
    )
    costs = f"{action} cost {cost_s(action, case):.1f} s of waiting"
    return f"{used}: {costs}, {other} would have cost {cost_s(other, case):.1f} s"


def _cost_of_readiness(action: DecidedAction, case: Dispute, requests: float) -> float:
    """Who comes before the load is over waits for the rest of it."""
    takes_s = _comeback_s(case)
    if case.used_at_s is None:
        return IDLE_LOAD_SHARE * takes_s + case.others_waited_s
    return max(0.0, takes_s - (case.used_at_s - case.at_s)) * requests


def _comeback_s(case: Dispute) -> float:
    asleep = case.figures.state is ModelState.SLEEPING
    return WAKE_SHARE * case.load_s if asleep else case.load_s


def judged(standing: Standing, cases: Iterable[Dispute]) -> Standing:
    """With the judgement of each case; the lead changes hands at the end, if it does."""
    for case in cases:
        regret_s = cost_s(case.llm, case) - cost_s(case.rules, case)
        weight = 1 - KEPT if standing.compared else 1.0
        standing = standing.model_copy(
            update={
                "compared": standing.compared + 1,
                "regret_s": standing.regret_s + weight * (regret_s - standing.regret_s),
            }
        )
    return _led(standing)


def given_up(standing: Standing) -> Standing:
    """Without the lead, on probation anew: whoever does not answer cannot be judged."""
    return Standing(
        regret_s=standing.regret_s,
        promotions=standing.promotions,
        demotions=standing.demotions + 1,
    )


def _led(standing: Standing) -> Standing:
    """Who leads from now on; whoever lost the lead is on probation anew."""
    if standing.compared < ENOUGH:
        return standing
    if standing.leader is DecisionSource.RULES and standing.regret_s <= -EARNS_S:
        return Standing(
            leader=DecisionSource.LLM,
            regret_s=standing.regret_s,
            promotions=standing.promotions + 1,
            demotions=standing.demotions,
        )
    if standing.leader is DecisionSource.LLM and standing.regret_s > 0:
        return given_up(standing)
    return standing
