"""The numbers that decisions depend on, made from the settings."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from modelium.common.settings import GIB, HostMode, Policies, RayServe, Vllm

RAY_BYTES: Final = GIB
"""What Ray takes beside the model host itself (measured: 0.6 to 1 GiB)."""


@dataclass(frozen=True, slots=True)
class MemoryPolicy:
    """What an engine is given and needs beside the model's weights."""

    kv_cache_bytes: int
    overhead_bytes: int
    max_context_tokens: int
    cpu_float32: bool = True
    """Whether engines on a CPU compute in float32, whatever the files store."""
    measured_margin_ratio: float = 0.15
    """Added to what was measured: an engine grows a little while it serves."""
    host_bytes: int | None = None
    """The overhead of a model host; None: what its kind of model takes."""
    ray_bytes: int = 0
    """Taken beside it on a CPU."""
    host_rows: int = 32
    """The rows that a model host computes at once."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When a model may be displaced or is evicted; durations in seconds."""

    min_residency_s: float = 5.0
    displace_after_s: float = 25.0
    """A waiter this old, times the models that wait, displaces models in use at any cost."""
    evict_after_idle_s: float = 1800.0
    """0 means never."""
    evict_idle_always: bool = False
    """Idle models are evicted even where nobody waits for their memory."""
    evict_when_memory_above_percent: float = 100.0
    prewarm: bool = False
    """Models are loaded before they are asked for, where memory is free and nobody waits."""
    always_loaded: frozenset[str] = field(default_factory=frozenset)
    deepest_sleep: int = 2
    """The deepest level at which engines are put to sleep; 0: at none."""
    unknown_load_s: float = 30.0
    """What a load is taken to last until any was measured; see `learned`."""
    max_engines: int = 1
    """Of one model."""
    copy_above_requests: int = 32
    """At one engine, by which its model is crowded."""
    copy_after_s: float = 15.0
    copy_below_ratio: float = 0.5
    """Of what the engines left serve, with which a model is calm."""
    drop_copy_after_s: float = 300.0
    drain_deadline_s: float = 120.0
    stop_s: float = 30.0
    """Within this an engine that is drained is stopped and its memory seen to be free."""


def learned(policy: Policy, loads_s: Iterable[float]) -> Policy:
    """The policy where loads take what they took here: a first load is taken for a middling one.

    Otherwise the demand for models that were never loaded would count for more than that for those
    whose loads were measured to be short.
    """
    ordered = sorted(loads_s)
    return replace(policy, unknown_load_s=ordered[len(ordered) // 2]) if ordered else policy


def memory_policy(vllm: Vllm, ray_serve: RayServe) -> MemoryPolicy:
    """What the settings give an engine."""
    return MemoryPolicy(
        kv_cache_bytes=vllm.kv_cache_bytes,
        overhead_bytes=vllm.overhead_bytes,
        max_context_tokens=vllm.max_context_tokens,
        cpu_float32=vllm.dtype in ("auto", "float32"),
        host_bytes=ray_serve.overhead_bytes,
        ray_bytes=RAY_BYTES if ray_serve.mode is HostMode.RAY else 0,
        host_rows=ray_serve.max_batch,
    )


def policy(policies: Policies) -> Policy:
    """The settings as decisions take them."""
    return Policy(
        min_residency_s=policies.min_residency_seconds,
        displace_after_s=policies.displace_after_seconds,
        evict_after_idle_s=policies.evict_after_idle_seconds,
        evict_idle_always=policies.evict_idle_always,
        evict_when_memory_above_percent=policies.evict_when_memory_above_percent,
        prewarm=policies.prewarm,
        deepest_sleep=policies.deepest_sleep,
        always_loaded=frozenset(policies.always_loaded),
        max_engines=policies.max_engines_per_model,
        copy_above_requests=policies.copy_above_requests,
        copy_after_s=policies.copy_after_seconds,
        copy_below_ratio=policies.copy_below_percent / 100,
        drop_copy_after_s=policies.drop_copy_after_seconds,
        drain_deadline_s=policies.drain_deadline_seconds,
    )
