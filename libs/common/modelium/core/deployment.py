"""How a new model could be served: what a language model is asked, and the guard for it. Pure.

The rules' plan stands beside it always. What of a language model's plan may be followed is little,
since it has to be harmless whatever was said: how many requests an engine runs at once, of those
that its memory is estimated for, and whether it keeps what it has read. Which runtime serves a
model, and on which device, is told but not followed: callers find a model by the one, and the other
is where there is room.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from modelium.common.descriptor import Descriptor, PlannedSettings, RuntimeKind, Task
from modelium.common.figures import DeploymentPlan
from modelium.common.records import DeviceKind
from modelium.core.prompts import CONFIDENCE, SURE, Prompt, fields_of, schema_of
from modelium.core.runtimes import able

PLAN: Final = "plan-1"
SEQS: Final = (8, 16, 32, 64)
CACHE: Final = {"on": True, "off": False}
_GENERATE: Final = frozenset({Task.CHAT, Task.COMPLETION})
_TOKENS: Final = 128
_GB: Final = 1e9
_SYSTEM: Final = """You plan how a new AI model is served on a few machines that many models share.
For each field choose one of its options:
runtime: what serves it. device: where it is best served, cuda is a GPU.
seqs: requests it serves at once: many for a small model that many use, few for a large one.
cache: on keeps what it has read for later requests that begin with the same text."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What can be chosen for one model; a field without a choice is not asked for."""

    runtimes: tuple[RuntimeKind, ...]
    devices: tuple[DeviceKind, ...] = tuple(DeviceKind)
    seqs: tuple[int, ...] = ()

    def fields(self) -> dict[str, list[str]]:
        """The options of each field, as they are written."""
        return {
            "runtime": [kind.value for kind in self.runtimes],
            "device": [kind.value for kind in self.devices],
            **({"seqs": [str(n) for n in self.seqs], "cache": list(CACHE)} if self.seqs else {}),
            CONFIDENCE: list(SURE),
        }


def options_of(
    descriptor: Descriptor, enabled: Collection[RuntimeKind], most_seqs: int
) -> PlanOptions:
    """What could serve it, and how; `most_seqs` is what engines are given otherwise."""
    runtimes = tuple(kind for kind in able(descriptor) if kind in enabled)
    tunable = _may_be_tuned(descriptor)
    seqs = tuple(n for n in SEQS if n <= most_seqs) if tunable else ()
    return PlanOptions(runtimes or (descriptor.runtime,), seqs=seqs)


def about_plan(descriptor: Descriptor, options: PlanOptions) -> Prompt:
    """The question: figures and words of ours only, none out of the model's files."""
    fields = options.fields()
    facts = (
        f"task={descriptor.task.value} params_b={descriptor.parameters / _GB:.2f} "
        f"weights_gb={descriptor.weight_bytes / _GB:.1f} context={descriptor.context_length} "
        f"kv_kb_per_token={descriptor.kv_bytes_per_token / 1e3:.0f} "
        f"quantized={'yes' if descriptor.quantization else 'no'}"
    )
    lines = [f"{name}: {'|'.join(said)}" for name, said in fields.items() if name != CONFIDENCE]
    return Prompt(
        version=PLAN,
        system=_SYSTEM,
        user="\n".join([facts, *lines]),
        schema=schema_of(fields),
        most_tokens=_TOKENS,
    )


def plan_of(answer: str, options: PlanOptions, by_rules: DeploymentPlan) -> DeploymentPlan:
    """The plan that the answer means, with the reasoning rendered from the same facts.

    Raises:
        NoAnswer: it is not of the form that was asked for.
    """
    said = fields_of(answer, options.fields())
    settings = PlannedSettings()
    if options.seqs:
        settings = PlannedSettings(
            max_num_seqs=int(said["seqs"]), prefix_cache=CACHE[said["cache"]]
        )
    kind = DeviceKind(said["device"])
    return by_rules.model_copy(
        update={
            "runtime": RuntimeKind(said["runtime"]),
            "device": kind,
            "settings": settings,
            "confidence": SURE[said[CONFIDENCE]],
            "reasoning": f"best on {kind.value}{_in_words(settings)}; {by_rules.reasoning}",
        }
    )


def _in_words(settings: PlannedSettings) -> str:
    if settings.max_num_seqs is None:
        return ""
    cache = "with" if settings.prefix_cache else "without"
    return f", {settings.max_num_seqs} requests at once, {cache} prefix cache"


_Rule = tuple[str, Callable[[DeploymentPlan, Descriptor], bool]]
RULES: Final[tuple[_Rule, ...]] = (
    ("other_runtime", lambda plan, about: plan.runtime is not about.runtime),
    ("not_tunable", lambda plan, about: _is_set(plan.settings) and not _may_be_tuned(about)),
)
"""A rule's name, and whether a plan breaks it; what else a setting may be, its type says."""


def guarded(plan: DeploymentPlan, descriptor: Descriptor) -> DeploymentPlan:
    """The same plan, marked with the rule that it breaks, if it does: then nobody follows it."""
    broken = next((name for name, breaks in RULES if breaks(plan, descriptor)), None)
    return plan.model_copy(update={"dropped_by": broken}) if broken else plan


def _is_set(settings: PlannedSettings) -> bool:
    return settings != PlannedSettings()


def _may_be_tuned(descriptor: Descriptor) -> bool:
    """Only what generates text has requests of many steps, and a cache."""
    return descriptor.runtime is RuntimeKind.VLLM and descriptor.task in _GENERATE
