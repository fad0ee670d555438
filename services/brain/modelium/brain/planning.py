"""The rules' deployment plan for a newly analysed model. Pure.

Which device there will be is not known yet, so the plan states what the model needs where it needs
most; the orchestrator computes it again for the device it chooses.
"""

from modelium.common.descriptor import Descriptor
from modelium.common.figures import DeploymentPlan
from modelium.common.records import DeviceKind
from modelium.core.memory import context_tokens, kv_cache_bytes, needed_bytes, weight_bytes
from modelium.core.model_host import as_given
from modelium.core.policy import MemoryPolicy
from modelium.core.reasons import gib


def plan(model: str, descriptor: Descriptor, policy: MemoryPolicy) -> DeploymentPlan:
    """Runtime, memory and the reasoning, for people."""
    kind = max(DeviceKind, key=lambda k: needed_bytes(descriptor, k, policy))
    needed = needed_bytes(descriptor, kind, policy)
    return DeploymentPlan(
        model=model,
        runtime=descriptor.runtime,
        needed_bytes=needed,
        confidence=1.0 if descriptor.weight_bytes else 0.5,
        reasoning=_reasoning(descriptor, kind, policy, needed),
    )


def _reasoning(descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy, needed: int) -> str:
    weights = gib(weight_bytes(descriptor, kind, policy))
    beside = gib(as_given(descriptor, kind, policy).overhead_bytes)
    cache = kv_cache_bytes(descriptor, kind, policy)
    tokens = context_tokens(descriptor, policy)
    cached = f", {gib(cache)} of cache for {tokens} tokens" if cache else ""
    return (
        f"{descriptor.architecture} for {descriptor.task} runs on {descriptor.runtime}: "
        f"{weights} of weights{cached} and {beside} beside, {gib(needed)} in all"
    )
