"""What advice has cost, and who leads because of it."""

import pytest

from modelium.common.advice import Standing
from modelium.common.figures import DecidedAction, DecisionSource
from modelium.common.records import ModelState
from modelium.core.regret import EARNS_S, ENOUGH, Dispute, cost_s, dispute, judged
from tests.unit.brain.kit import cold, figures, tick

KEEP, EVICT, LOAD = DecidedAction.KEEP, DecidedAction.EVICT, DecidedAction.LOAD
SLEEP, WAKE = DecidedAction.SLEEP, DecidedAction.WAKE
LOAD_S = 20.0


def opened(llm: DecidedAction, rules: DecidedAction, *, of_cold: bool = False) -> Dispute:
    model = cold("a") if of_cold else figures("a")
    return dispute(model, llm=llm, rules=rules, now_s=0, unknown_load_s=30)


def test_who_evicts_what_is_asked_for_again_pays_its_load_for_each_request() -> None:
    case = opened(EVICT, KEEP).seen(tick(cold("a", waiting=3)), 10)
    assert cost_s(EVICT, case) == 3 * LOAD_S
    assert cost_s(SLEEP, case) == pytest.approx(3 * LOAD_S * 0.1)
    assert cost_s(KEEP, case) == 0


def test_who_keeps_what_nobody_asks_for_pays_while_others_want_its_memory() -> None:
    case = opened(EVICT, KEEP)
    for now_s in (10.0, 20.0):
        case = case.seen(tick(figures("a"), cold("b", waiting=1)), now_s)
    assert (cost_s(KEEP, case), cost_s(EVICT, case)) == (20, 0)


def test_a_waiter_for_whom_its_memory_is_not_enough_is_not_its_fault() -> None:
    case = opened(EVICT, KEEP).seen(
        tick(figures("a"), cold("b", waiting=1, needed_bytes=1 << 40)), 5
    )
    assert cost_s(KEEP, case) == 0


def test_a_load_before_the_first_request_saves_what_of_it_is_over_by_then() -> None:
    case = opened(LOAD, KEEP, of_cold=True).seen(tick(cold("a", waiting=2)), 15)
    assert (cost_s(LOAD, case), cost_s(KEEP, case)) == (2 * (LOAD_S - 15), 2 * LOAD_S)


def test_a_load_for_nobody_costs_a_little() -> None:
    case = opened(LOAD, KEEP, of_cold=True).seen(tick(cold("a")), 50)
    assert 0 < cost_s(LOAD, case) < LOAD_S
    assert cost_s(KEEP, case) == 0


def test_requests_that_come_when_it_would_be_back_anyway_are_not_counted() -> None:
    case = opened(EVICT, KEEP).seen(tick(cold("a", waiting=1)), 10)
    later = case.seen(tick(figures("a", rate_per_s=5)), 60)
    assert cost_s(EVICT, later) == cost_s(EVICT, case)


def test_a_sleeping_model_that_is_kept_asleep_costs_a_wake() -> None:
    asleep = cold("a", state=ModelState.SLEEPING)
    case = dispute(asleep, llm=WAKE, rules=KEEP, now_s=0, unknown_load_s=30)
    case = case.seen(tick(cold("a", waiting=1)), 10)
    assert (cost_s(KEEP, case), cost_s(WAKE, case)) == (pytest.approx(2), 0)


def right(count: int) -> list[Dispute]:
    """The language model kept what was asked for again; the rules had evicted it."""
    return [opened(KEEP, EVICT).seen(tick(cold("a", waiting=1)), 10)] * count


def wrong(count: int) -> list[Dispute]:
    return [opened(EVICT, KEEP).seen(tick(cold("a", waiting=1)), 10)] * count


def test_the_lead_is_earned_by_enough_judgements_and_not_by_a_few() -> None:
    assert judged(Standing(), right(ENOUGH - 1)).leader is DecisionSource.RULES
    led = judged(Standing(), right(ENOUGH))
    assert (led.leader, led.promotions, led.compared) == (DecisionSource.LLM, 1, 0)


def test_the_lead_is_lost_by_doing_worse_and_probation_begins_anew() -> None:
    led = judged(Standing(), right(ENOUGH))
    lost = judged(led, wrong(ENOUGH))
    assert (lost.leader, lost.promotions, lost.demotions) == (DecisionSource.RULES, 1, 1)
    assert (lost.compared, lost.regret_s > 0) == (0, True)


def test_between_earning_and_losing_nothing_changes() -> None:
    """One that saves less than it takes to earn the lead does not get it, nor lose it."""
    for leader in DecisionSource:
        standing = Standing(leader=leader, compared=ENOUGH, regret_s=-EARNS_S / 2)
        assert judged(standing, []).leader is leader


def test_who_does_worse_never_leads() -> None:
    assert judged(Standing(), wrong(10 * ENOUGH)).leader is DecisionSource.RULES
