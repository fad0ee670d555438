"""Which model an adapter belongs to, among those that are here; pure.

An adapter alone serves nothing: its descriptor becomes that of its base model with the adapter's
weights on top. An adapter whose base is not here is rejected, and looked at again once it has come.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

from modelium.common.descriptor import POOLING_TASKS, Descriptor, RuntimeKind
from modelium.common.records import ModelRecord, ModelState


def is_alone(descriptor: Descriptor) -> bool:
    """Whether it is an adapter that has no base model yet."""
    return descriptor.format == "lora" and not descriptor.base_path


def find_base(base_model: str, records: Iterable[ModelRecord]) -> ModelRecord | None:
    """The model that an adapter names: by its path, or by the last part of its name.

    Adapters name their base as it is called where it was trained: `org/name`, or some path.
    """
    wanted = PurePath(base_model).name.lower()
    able = [record for record in records if _can_be_base(record)]
    by_path = [record for record in able if record.path == base_model]
    by_name = [r for r in able if wanted in (PurePath(r.path).name.lower(), r.model.lower())]
    return next(iter(by_path + sorted(by_name, key=lambda record: record.model)), None)


def _can_be_base(record: ModelRecord) -> bool:
    about = record.descriptor
    return not record.removed and about is not None and about.format == "huggingface"


def is_missed(record: ModelRecord, records: Iterable[ModelRecord]) -> bool:
    """Whether it was rejected for want of a base model that is here now."""
    about = record.descriptor
    if record.state is not ModelState.REJECTED or about is None or not is_alone(about):
        return False
    return find_base(about.base_model, records) is not None


def refusal(adapter: Descriptor, base: ModelRecord | None) -> str:
    """Why no engine serves the adapter with this base; empty if one does."""
    if base is None or base.descriptor is None:
        name = PurePath(adapter.base_model).name
        return f"its base model, {adapter.base_model}, is not here: drop it too, as {name}"
    about = base.descriptor
    if about.runtime is not RuntimeKind.VLLM or about.task in POOLING_TASKS:
        return (
            f"its base model, {base.model}, is one for {about.task}: adapters go with text models"
        )
    return ""


def with_base(adapter: Descriptor, base: ModelRecord) -> Descriptor:
    """The adapter as it is served: its base model, and a little more."""
    about = base.descriptor
    if about is None:
        raise ValueError(f"{base.model} has no descriptor")
    content = f"{about.content_fingerprint} {adapter.content_fingerprint}"
    by_dtype = Counter(about.weight_bytes_by_dtype) + Counter(adapter.weight_bytes_by_dtype)
    changes = {
        "format": adapter.format,
        "framework": adapter.framework,
        "parameters": about.parameters + adapter.parameters,
        "weight_bytes": about.weight_bytes + adapter.weight_bytes,
        "weight_bytes_by_dtype": dict(by_dtype),
        "base_model": adapter.base_model,
        "base_path": base.path,
        "adapter_rank": adapter.adapter_rank,
        "missing": adapter.missing,
        "overrides": adapter.overrides,
        "content_fingerprint": hashlib.sha256(content.encode()).hexdigest()[:32],
    }
    return about.model_copy(update=changes)
