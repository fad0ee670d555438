"""What a language model is asked, and what its answers mean. Pure.

Questions are short lines of figures under short ids, answers enumerations: a small model reads and
writes few tokens, and what it writes always parses. Names of models never reach it, so that no name
can give it orders. The reasons that people read are made of the same figures.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from modelium.common.advice import MetricsTick
from modelium.common.errors import ModeliumError
from modelium.common.figures import DecidedAction, Decision, DeviceFigures, ModelFigures
from modelium.core.contest import KEEP, Contestant

DECISIONS: Final = "decisions-3"
CONFIDENCE: Final = "confidence"
SURE: Final = {"low": 0.3, "medium": 0.6, "high": 0.9}
LONGEST_ANSWER: Final = 4_096
"""Characters; whatever is longer is no answer."""
_TOKENS_PER_CHOICE: Final = 16
"""As many as characters: no tokenizer needs more."""
_TOKENS_BESIDE: Final = 32
_SYSTEM: Final = """You decide which AI models stay in the memory of a few GPUs.
Loading a model makes its callers wait for load_s seconds. A model that is evicted or asleep must \
come back when it is asked for. Memory is short when a model that somebody waits for does not fit.
For each model choose one of its options:
keep: leave it as it is. evict: free its memory. sleep: free most of it, it comes back fast.
load, wake: make it ready before it is asked for.
Evict or sleep what will be used last and is cheap to load. Load what will be used soon if it fits.
idle: seconds unused. next: seconds until the next use is expected, ? if nobody knows.
soon: chance in percent that it is used by the end of a load, 0 if nobody knows.
rate: requests per minute. wait: requests that wait now. gb: memory it has or needs."""
_NUMBERS: Final = TypeAdapter(dict[str, str])
_GB: Final = 1e9


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a language model is asked."""

    version: str
    """Of the wording and of the form of the answer."""
    system: str
    """The same for every question, so that its cache can be used again."""
    user: str
    schema: dict[str, Any]
    """JSON Schema of the answer: an object of enumerations, without free text."""
    most_tokens: int
    """No answer of this form is longer."""

    @property
    def question(self) -> dict[str, Any]:
        """What a local language model is asked."""
        return {
            "system": self.system,
            "user": self.user,
            "schema": self.schema,
            "most_tokens": self.most_tokens,
        }


class NoAnswer(ModeliumError):
    """The language model did not answer in time, or not as was asked; the reason is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotReady(NoAnswer):
    """The language model was not asked: it is being loaded, or gone."""


def about_decisions(tick: MetricsTick, contestants: Sequence[Contestant]) -> Prompt:
    """What should become of these models."""
    devices = [_device_line(n, device) for n, device in enumerate(tick.devices)]
    ids = {device.device_id: f"g{n}" for n, device in enumerate(tick.devices)}
    models = [_model_line(n, each, ids) for n, each in enumerate(contestants)]
    return Prompt(
        version=DECISIONS,
        system=_SYSTEM,
        user="\n".join([*devices, *models]),
        schema=schema_of(_fields(contestants)),
        most_tokens=_TOKENS_BESIDE + _TOKENS_PER_CHOICE * len(contestants),
    )


def decisions_of(answer: str, contestants: Sequence[Contestant]) -> tuple[Decision, ...]:
    """What the answer says about each model; of one that is left as it is, only if it is an engine.

    Raises:
        NoAnswer: it is not of the form that was asked for.
    """
    chosen = fields_of(answer, _fields(contestants))
    confidence = SURE[chosen[CONFIDENCE]]
    decisions = []
    for number, each in enumerate(contestants):
        action = DecidedAction(chosen[_id(number)])
        if action is not KEEP or DecidedAction.EVICT in each.options:
            reason = reason_for(action, each.figures)
            decisions.append(
                Decision(
                    model=each.figures.model, action=action, reason=reason, confidence=confidence
                )
            )
    return tuple(decisions)


def answer_of(chosen: Sequence[DecidedAction]) -> str:
    """What says this of each contestant, as a language model writes it: what one is trained on."""
    fields = {_id(n): action.value for n, action in enumerate(chosen)}
    return json.dumps(fields | {CONFIDENCE: "high"})


def reason_for(action: DecidedAction, model: ModelFigures) -> str:
    """For people, of the figures that the language model was shown."""
    if model.waiting:
        return f"{model.waiting} requests wait for it"
    expected = "" if model.next_use_s is None else f", expected in {model.next_use_s:.0f} s"
    if model.soon_after:
        expected += f", or soon after {model.soon_after} ({model.soon_chance:.0%})"
    idle = "never used" if model.idle_s is None else f"unused for {model.idle_s:.0f} s"
    takes = "" if model.reload_s is None else f", {model.reload_s:.0f} s to load"
    return f"{idle}{expected}{takes}"


def schema_of(fields: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """JSON Schema of an object in which each field is one of its words."""
    return {
        "type": "object",
        "properties": {n: {"type": "string", "enum": list(said)} for n, said in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def fields_of(answer: str, fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The word that the answer says for each field.

    Raises:
        NoAnswer: it has other fields, or a word that was no option.
    """
    chosen = _parsed(answer)
    if chosen.keys() != fields.keys():
        raise NoAnswer(f"its answer has other fields than {', '.join(sorted(fields))}")
    wrong = [word for name, word in chosen.items() if word not in fields[name]]
    if wrong:
        raise NoAnswer(f"its answer says {wrong[0][:20]!r}, which was no option")
    return chosen


def _fields(contestants: Sequence[Contestant]) -> dict[str, list[str]]:
    options = {_id(n): [o.value for o in each.options] for n, each in enumerate(contestants)}
    return options | {CONFIDENCE: list(SURE)}


def _parsed(answer: str) -> dict[str, str]:
    if len(answer) > LONGEST_ANSWER:
        raise NoAnswer(f"its answer has {len(answer)} characters, expected a few hundred")
    try:
        return _NUMBERS.validate_json(answer)
    except ValidationError:
        raise NoAnswer(f"its answer is no JSON object of strings: {answer[:80]!r}") from None


def _id(number: int) -> str:
    return f"m{number}"


def _device_line(number: int, device: DeviceFigures) -> str:
    return f"g{number}: {device.total_bytes / _GB:.1f} gb, {device.free_bytes / _GB:.1f} free"


def _model_line(number: int, contestant: Contestant, devices: dict[str, str]) -> str:
    model = contestant.figures
    where = ",".join(devices.get(d, "?") for d in model.device_ids)
    gb = (model.held_bytes or model.needed_bytes) / _GB
    options = "|".join(option.value for option in contestant.options)
    return (
        f"{_id(number)}: {model.state.value}{f' on {where}' if where else ''} gb={gb:.1f} "
        f"idle={_seconds(model.idle_s)} next={_seconds(model.next_use_s)} "
        f"soon={100 * model.soon_chance:.0f} "
        f"rate={60 * model.demand_per_s:.1f} wait={model.waiting} "
        f"load_s={_seconds(model.reload_s)} options={options}"
    )


def _seconds(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"
