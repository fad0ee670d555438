"""What the recent demand would have cost under several policies. Pure."""

from collections.abc import Mapping

from modelium.common.settings_policies import Policies
from modelium.core.policy import policy
from modelium.core.tuning import LRU, Replayed
from modelium.replay.contenders import RULES, Contenders, Setup
from modelium.replay.simulate import Outcome
from modelium.replay.trace import Trace


def replayed(
    trace: Trace,
    setup: Setup,
    candidates: Mapping[str, Policies],
    *,
    interval_s: float,
    patience_s: float,
) -> dict[str, Replayed]:
    """Of each candidate by the rules, and of LRU; `patience_s`: then a waiter is refused."""
    middle_s = (trace.requests[0].at_s + trace.requests[-1].at_s) / 2
    older = sum(request.at_s < middle_s for request in trace.requests)
    outcomes = {
        name: Contenders(policy=policy(each), interval_s=interval_s).replay(RULES, trace, setup)
        for name, each in candidates.items()
    }
    outcomes[LRU] = Contenders().replay(LRU, trace, setup)
    return {name: _of(outcome, middle_s, older, patience_s) for name, outcome in outcomes.items()}


def _of(outcome: Outcome, middle_s: float, older: int, patience_s: float) -> Replayed:
    newer_s = sum(wait_s for at_s, wait_s in outcome.waits if at_s >= middle_s)
    all_s = outcome.mean_wait_s * outcome.requests
    return Replayed(
        mean_wait_s=outcome.mean_wait_s,
        older_wait_s=(all_s - newer_s) / max(1, older),
        newer_wait_s=newer_s / max(1, outcome.requests - older),
        p99_wait_s=outcome.p99_wait_s,
        cold=outcome.cold,
        too_late=sum(wait_s > patience_s for _, wait_s in outcome.waits),
    )
