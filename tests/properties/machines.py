"""How state machines are run: bounded, the same examples every time; more of them on demand."""

import os
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

MORE: Final = int(os.environ.get("EXAMPLES_FACTOR", "1"))
"""How many times as many examples as usual; with another number than 1 they differ each time."""


def search(
    machine: type[RuleBasedStateMachine], *, examples: int, steps: int, attempts: int = 1
) -> None:
    """Let it run; raises what the first example that fails raised.

    Which examples are tried depends on all modules that are loaded. Who is sure that one fails
    searches in several `attempts`, of which those after the first differ each time.
    """
    for attempt in range(attempts):
        _search(machine, examples, steps, derandomize=MORE == 1 and attempt == 0)


def _search(
    machine: type[RuleBasedStateMachine], examples: int, steps: int, *, derandomize: bool
) -> None:
    options: dict[str, Any] = {
        "max_examples": examples * MORE,
        "stateful_step_count": steps,
        "derandomize": derandomize,
        "database": None,
        "deadline": None,
        "phases": (Phase.generate,),
        "report_multiple_bugs": False,
        "suppress_health_check": tuple(HealthCheck),
    }
    run_state_machine_as_test(machine, settings=settings(**options))
