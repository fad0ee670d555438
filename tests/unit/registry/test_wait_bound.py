"""How long a model is waited for at most, as its record shows it."""

from modelium.common.figures import DecidedAction, Decision
from modelium.common.testing import a_model_record
from modelium.registry.projection import after_decision


def queue(bound_s: float | None) -> Decision:
    return Decision(
        model="qwen", action=DecidedAction.QUEUE, reason="waits for memory", wait_bound_s=bound_s
    )


def test_the_bound_of_waits_stays_when_a_decision_names_none() -> None:
    bounded = after_decision(queue(40), a_model_record())
    assert bounded is not None
    assert bounded.wait_bound_s == 40
    again = after_decision(queue(None), bounded)
    assert again is not None
    assert again.wait_bound_s == 40
