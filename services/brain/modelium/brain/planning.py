"""The rules' deployment plan for a newly analysed model. Pure.

Which device there will be is not known yet, so the plan states what the model needs where it needs
most; the orchestrator computes it again for the device it chooses.
"""

from modelium.common.descriptor import Descriptor
from modelium.common.figures import DeploymentPlan
from modelium.common.records import DeviceKind
from modelium.core.memory import context_tokens, kv_cache_bytes, needed_bytes, weight_bytes
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
    cache = gib(kv_cache_bytes(descriptor, kind, policy))
    return (
        f"{descriptor.architecture} for {descriptor.task} runs on {descriptor.runtime}: "
        f"{weights} of weights, {cache} of cache for {context_tokens(descriptor, policy)} tokens "
        f"and {gib(policy.overhead_bytes)} beside, {gib(needed)} in all"
    )
