"""What becomes of a described model among all others: its base, its names, its runtime; pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from modelium.common.descriptor import Descriptor, RuntimeKind
from modelium.common.records import ModelRecord, ModelState
from modelium.core.runtimes import choose
from modelium.watcher import adapters


@dataclass(frozen=True)
class Fit:
    """The descriptor as it is announced; `refusal` says why it is not served, or is empty."""

    descriptor: Descriptor
    refusal: str = ""


def fit(
    model: str,
    descriptor: Descriptor,
    records: Sequence[ModelRecord],
    enabled: Collection[RuntimeKind],
) -> Fit:
    """Choose the runtime; an adapter first gets its base model, and nobody another's name."""
    others = [record for record in records if record.model != model and not record.removed]
    if adapters.is_alone(descriptor):
        base = adapters.find_base(descriptor.base_model, others)
        refusal = adapters.refusal(descriptor, base)
        if base is None or refusal:
            path = base.path if base else ""
            return Fit(descriptor.model_copy(update={"base_path": path}), refusal)
        descriptor = adapters.with_base(descriptor, base)
    taken = _taken_name(model, others) or _taken_alias(descriptor, others)
    if taken:
        return Fit(descriptor, taken)
    choice = choose(descriptor, enabled)
    if choice.runtime is None:
        return Fit(descriptor.model_copy(update={"runtime_reason": choice.reason}), choice.reason)
    chosen = {"runtime": choice.runtime, "runtime_reason": choice.reason}
    return Fit(descriptor.model_copy(update=chosen))


def _taken_name(model: str, others: Sequence[ModelRecord]) -> str:
    """Why it cannot be called so; empty if nobody else is."""
    owner = owner_of_alias(model, others)
    if owner is None:
        return ""
    return f"the name {model} is an alias of {owner.path}: give one of them another"


def _taken_alias(descriptor: Descriptor, others: Sequence[ModelRecord]) -> str:
    """Why one of its aliases is not to be had; empty if all are."""
    wanted = descriptor.overrides.aliases if descriptor.overrides else ()
    owners = {name: record for record in others for name in (record.model, *aliases_of(record))}
    for alias in wanted:
        if alias in owners:
            return f"its alias {alias} belongs to {owners[alias].path}"
    return ""


def owner_of_alias(name: str, records: Iterable[ModelRecord]) -> ModelRecord | None:
    """Which of them answers to this name as to an alias."""
    return next((record for record in records if name in aliases_of(record)), None)


def aliases_of(record: ModelRecord) -> tuple[str, ...]:
    """The further names of a model; none of one that is gone, or was refused."""
    if record.removed or record.state is ModelState.REJECTED:
        return ()
    overrides = record.descriptor.overrides if record.descriptor else None
    return overrides.aliases if overrides else ()
