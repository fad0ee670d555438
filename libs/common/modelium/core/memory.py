"""How much memory an engine of a model needs on one device.

Before the first load an estimate from the descriptor, corrected by what other models showed; then
what was measured (`measurements.py`). An engine never needs less than its weights and its cache.
The ledger (`ledger.py`) keeps the books; what an engine is given is also said here. A model host
has no cache; beside the weights it takes what computing a batch takes (`model_host.py`).
"""

from typing import Final

from modelium.common.descriptor import Descriptor
from modelium.common.records import DeviceKind, ModelRecord
from modelium.core.measurements import NOTHING, Known, Measurements
from modelium.core.model_host import as_given, is_hosted, least_bytes
from modelium.core.policy import MemoryPolicy

STEP_TOKENS: Final = 8192
"""What vLLM computes in one step at most, by its own default."""
SPREAD: Final = 0.02
"""How much more than ever before the same load may take beside its weights (measured: 0.3 %)."""
BOUND: Final = 2
"""How many times the configured overhead what others showed may raise or lower it."""
RAISED: Final = 4
"""The same for engines that ran out of memory: more is no engine's need but a leak."""
CUT: Final = 4
"""By how much the configured cache is cut for an engine that ran out of memory."""
UNMEASURED: Final = Measurements()
SIXTEEN_BIT: Final = frozenset({"bf16", "f16", "fp16", "bfloat16", "float16", "half"})


def context_tokens(descriptor: Descriptor, policy: MemoryPolicy) -> int:
    """The context length an engine is given: the model's own, but no more than the policy's.

    What a person has written for the model goes before both.
    """
    if descriptor.overrides is not None and descriptor.overrides.context is not None:
        return descriptor.overrides.context
    own = descriptor.context_length or policy.max_context_tokens
    return min(own, policy.max_context_tokens)


def kv_cache_bytes(
    descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy, *, cut: bool = False
) -> int:
    """The cache an engine is given: the policy's, but enough for one request of full length.

    A layer that sees only a window keeps that window and the tokens of the step under way. `cut`
    is for a model that ran out of memory: a part of the policy's, and still enough for that one.
    An encoder keeps none.
    """
    if is_hosted(descriptor) or descriptor.keeps_no_cache:
        return 0
    wider = 2 if _computes_wider(kind, policy) else 1
    context = context_tokens(descriptor, policy)
    windowed = descriptor.windowed_kv_bytes_per_token
    request = (descriptor.kv_bytes_per_token - windowed) * context
    request += windowed * min(context, descriptor.window_tokens + STEP_TOKENS)
    return max(policy.kv_cache_bytes // (CUT if cut else 1), wider * request)


def loads_with_cut_cache(record: ModelRecord) -> bool:
    """Whether its next engine is given less cache: the last one ran out of memory."""
    return record.out_of_memory > 0


def weight_bytes(descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy) -> int:
    """The weights as the engine holds them: 16-bit files double when computed in float32."""
    policy = as_given(descriptor, kind, policy)
    widened = _computes_wider(kind, policy) and descriptor.dtype.lower() in SIXTEEN_BIT
    return descriptor.weight_bytes * (2 if widened else 1)


def estimated_bytes(descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy) -> int:
    """What an engine needs before any was measured."""
    certain = weight_bytes(descriptor, kind, policy) + kv_cache_bytes(descriptor, kind, policy)
    return certain + as_given(descriptor, kind, policy).overhead_bytes


def needed_bytes(
    descriptor: Descriptor,
    kind: DeviceKind,
    policy: MemoryPolicy,
    known: Known = NOTHING,
    *,
    largest_bytes: int = 0,
    raise_later: bool = False,
) -> int:
    """Bytes of one device for an engine, by what is `known` of such engines there.

    Never less than was measured, and more than what was too little. The cache, whose size is a
    setting, is added to what was measured without it. `largest_bytes` is the largest such device
    (0: none): an engine that ran out of memory is given all of it before it is said not to fit.
    With `raise_later` it is given once more what was too little: its cache is cut instead.
    """
    policy = as_given(descriptor, kind, policy)
    weights = weight_bytes(descriptor, kind, policy)
    wanted = (_measured if known.loads else _expected)(weights, known, policy)
    cache = kv_cache_bytes(descriptor, kind, policy)
    raised = cache + (known.outgrown_bytes if raise_later else _raised(weights, known, policy))
    if largest_bytes:
        raised = min(raised, largest_bytes)
    return max(weights + cache, least_bytes(descriptor, policy), wanted + cache, raised)


def _measured(weights: int, known: Known, policy: MemoryPolicy) -> int:
    """What it held and a margin, which is soon given up as loads show the same again.

    Such caution asks for hardly more than the estimate: where an engine ran, it shall fit again.
    """
    overhead = max(0, known.highest_bytes - weights)
    margin = int(overhead * policy.measured_margin_ratio / known.loads**2)
    within = min(known.highest_bytes + margin, weights + policy.overhead_bytes)
    return max(known.highest_bytes + int(overhead * SPREAD), within)


def _expected(weights: int, known: Known, policy: MemoryPolicy) -> int:
    """What nobody has measured yet: as other models, or an older engine, let expect.

    Models that are much smaller may only raise it.
    """
    overhead = policy.overhead_bytes
    if (like := known.learned_overhead(weights)) is not None:
        overhead = _cautious(like, policy)
    elif (smaller := known.learned_overhead()) is not None:
        overhead = max(overhead, _cautious(smaller, policy))
    return max(weights + overhead, known.older_bytes)


def _cautious(learned: int, policy: MemoryPolicy) -> int:
    """With a margin, for which the estimate is enough unless it has proved to be too low."""
    overhead = policy.overhead_bytes
    more = learned + int(learned * policy.measured_margin_ratio)
    shown = more if learned > overhead else min(more, overhead)
    return min(max(shown, overhead // BOUND), overhead * BOUND)


def _raised(weights: int, known: Known, policy: MemoryPolicy) -> int:
    """Twice as much beside the weights as was too little, within a bound; 0: none was.

    An engine that was then measured to hold more than that has said itself what it needs.
    """
    if known.outgrown_bytes <= known.highest_bytes:
        return 0
    overhead = max(known.outgrown_bytes - weights, policy.overhead_bytes // BOUND)
    most = weights + policy.overhead_bytes * RAISED
    return max(known.outgrown_bytes, min(weights + 2 * overhead, most))


def needed_by_record(
    record: ModelRecord,
    kind: DeviceKind,
    policy: MemoryPolicy,
    measurements: Measurements = UNMEASURED,
    *,
    largest_bytes: int = 0,
) -> int:
    """Bytes of one device for the model's next engine; 0 while its files are not analysed.

    While the model's loads fail, what was measured does not lower the estimate. `largest_bytes` as
    for `needed_bytes`.
    """
    descriptor = record.descriptor
    if descriptor is None:
        return 0
    content = descriptor.content_fingerprint or record.fingerprint
    known = measurements.known(content, descriptor.runtime, kind)
    needed = needed_bytes(
        descriptor,
        kind,
        policy,
        known,
        largest_bytes=largest_bytes,
        raise_later=_cut_is_enough(record, descriptor, kind, policy),
    )
    if record.failures:
        return max(needed, estimated_bytes(descriptor, kind, policy))
    return needed


def _cut_is_enough(
    record: ModelRecord, descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy
) -> bool:
    """Whether to try the same memory with a smaller cache, once, before others give way for more.

    A cache that one request fills cannot be cut.
    """
    whole = kv_cache_bytes(descriptor, kind, policy)
    return record.out_of_memory == 1 and kv_cache_bytes(descriptor, kind, policy, cut=True) < whole


def _computes_wider(kind: DeviceKind, policy: MemoryPolicy) -> bool:
    return kind is DeviceKind.CPU and policy.cpu_float32
