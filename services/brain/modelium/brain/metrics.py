"""The brain's numbers for Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from modelium.common.advice import DecisionMade, Standing
from modelium.common.figures import DecisionSource

DECISIONS: Final = Counter(
    "modelium_brain_decisions_total",
    "Answers to a tick: led, shadow (said for comparison), or failed.",
    ["source", "outcome"],
)
DURATION: Final = Histogram(
    "modelium_brain_decision_duration_seconds",
    "How long an answer took.",
    ["source"],
    buckets=(0.001, 0.01, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
)
LEADER: Final = Gauge("modelium_brain_leader", "1 for whose advice counts.", ["source"])
LEADER_CHANGES: Final = Counter(
    "modelium_brain_leader_changes_total", "How often the lead went to this one.", ["source"]
)
REGRET: Final = Gauge(
    "modelium_brain_regret_seconds",
    "What the language model's advice cost in waiting for each disagreement, beside the rules'.",
)
_OUTCOMES: Final = ("led", "shadow", "failed")


def begin(standing: Standing) -> None:
    """Show every counter from the start: a rise from nothing is no rise for Prometheus."""
    for source in DecisionSource:
        LEADER_CHANGES.labels(source)
        for outcome in _OUTCOMES:
            DECISIONS.labels(source, outcome)
    stands(standing)


def stands(standing: Standing) -> None:
    """Show who leads, and how the language model does."""
    for source in DecisionSource:
        LEADER.labels(source).set(standing.leader is source)
    REGRET.set(standing.regret_s)


def leader_changed(standing: Standing) -> None:
    """Count it, and show it."""
    LEADER_CHANGES.labels(standing.leader).inc()
    stands(standing)


def decided(message: DecisionMade) -> None:
    """Count an answer, and that of a language model that did not come."""
    outcome = "shadow" if message.shadow else "led"
    if message.failure:
        DECISIONS.labels(DecisionSource.LLM, "failed").inc()
    if message.source is DecisionSource.RULES or not message.failure:
        DECISIONS.labels(message.source, outcome).inc()
    if message.took_s is not None:
        DURATION.labels(message.source).observe(message.took_s)
