"""`modelium brain evaluate`: a trained brain on what it never saw, beside what it must beat."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from modelium.cli.asking import LocalAsker
from modelium.cli.brain_dataset import Source, trace_of
from modelium.cli.brain_train import interpreter
from modelium.cli.console import out, out_json, out_table, step
from modelium.cli.replay_brain import AskedBrain
from modelium.common.errors import ExitCode, ModeliumError
from modelium.common.load_settings import Settings
from modelium.core.policy import policy
from modelium.core.prompts import DECISIONS
from modelium.replay.contenders import BRAIN, CLAIRVOYANT, RULES, CannotReplay, Contenders
from modelium.replay.examples import between
from modelium.replay.table import TITLES, Row, rows
from modelium.replay.trace import Trace

TRAINED_ON: Final = "trained_on.json"
_EXPECTED: Final = "expected a folder that `modelium brain train` wrote"
BESIDE: Final = (RULES, "lru", CLAIRVOYANT)
"""The brain comes last: it takes longest."""


class NoRecord(ModeliumError):
    """A model does not say what it has learned from."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Result:
    """Of one trace."""

    trace: str
    rows: list[Row]
    model: str
    """Its name and size, for people."""
    asked: int
    answered: int
    cpu_s_per_decision: float
    wait_beside_rules: float | None
    """The mean wait with the brain, as a share of the rules'; None: with these nobody waits."""


def evaluate(settings: Settings, source: Source, model: str, *, as_json: bool) -> None:
    """Print a table for each trace, and whether the brain beat the rules.

    Raises:
        LlmUnavailable: the model cannot be loaded.
        NoRecord: it does not say what it has learned from.
        CannotReplay: nothing of a trace was held out.
    """
    held_from_s = learned_from(Path(model))
    traces = [unseen(trace_of(each, source), held_from_s) for each in source.traces]
    asker = LocalAsker(
        python=interpreter(settings), model=model, device=settings.modelium_brain.device
    )
    try:
        results = [_result(settings, source, trace, asker) for trace in traces]
    finally:
        asker.close()
    if as_json:
        out_json([asdict(result) for result in results])
        return
    for result in results:
        _print(result)


def learned_from(folder: Path) -> dict[str, float]:
    """From which moment on each trace was held out, when the model was trained.

    Raises:
        NoRecord: it does not say, or has learned to answer other questions.
    """
    path = folder / TRAINED_ON
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        held = {str(name): float(at_s) for name, at_s in known["held_from_s"].items()}
        prompts = [str(prompt) for prompt in known["prompts"]]
    except OSError as wrong:
        raise NoRecord(f"{path} cannot be read: {wrong.strerror or wrong}; {_EXPECTED}") from wrong
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise NoRecord(
            f"{path} does not say what the model has learned from; {_EXPECTED}"
        ) from wrong
    if DECISIONS not in prompts:
        raise NoRecord(
            f"{folder} has learned to answer {', '.join(prompts)}, but is asked {DECISIONS}: "
            "make a new dataset and train again"
        )
    return held


def unseen(trace: Trace, held_from_s: dict[str, float]) -> Trace:
    """What the model has not learned from: all of a trace that it does not know.

    Raises:
        CannotReplay: nothing.
    """
    if trace.name not in held_from_s:
        return trace
    held = between(trace, held_from_s[trace.name], float("inf"))
    if not held.requests:
        raise CannotReplay(
            f"{trace.name} has nothing after {held_from_s[trace.name]:.0f} s, "
            "and the model has learned from what is before: give more --hours"
        )
    return held


def _result(settings: Settings, source: Source, trace: Trace, asker: LocalAsker) -> Result:
    brain = AskedBrain(policy(settings.orchestration.policies), asker)
    contenders = Contenders(
        policy=brain.policy,
        interval_s=settings.orchestration.decision_interval_seconds,
        brain=brain,
    )
    outcomes = {}
    cpu_before_s = asker.cpu_s or 0.0
    for name in (*BESIDE, BRAIN):
        with step(f"{trace.name}, {len(trace.requests)} requests, {name}"):
            outcomes[name] = contenders.replay(name, trace, source.setup)
    mean_s = {name: outcome.mean_wait_s for name, outcome in outcomes.items()}
    return Result(
        trace=trace.name,
        rows=rows(outcomes),
        model=asker.name,
        asked=brain.asked,
        answered=brain.answered,
        cpu_s_per_decision=((asker.cpu_s or 0.0) - cpu_before_s) / max(1, brain.asked),
        wait_beside_rules=mean_s[BRAIN] / mean_s[RULES] if mean_s[RULES] else None,
    )


def _print(result: Result) -> None:
    out()
    out(f"{result.trace}: {result.rows[0].requests} requests that were not learned from")
    out_table(TITLES, [row.cells() for row in result.rows])
    out(
        f"{result.model}: asked {result.asked} times, {result.answered} answers, "
        f"{result.cpu_s_per_decision:.3f} CPU-s each"
    )
    if result.wait_beside_rules is not None:
        less = f"{1 - result.wait_beside_rules:.1%}"
        much = f"{less.lstrip('-')} {'longer' if less.startswith('-') else 'shorter'} than by"
        same = float(less.rstrip("%")) == 0
        out(f"With it the mean wait is {'the same as by' if same else much} the rules.")
