"""What an engine needs: the estimate, and what a measurement makes of it."""

import pytest

from modelium.common.records import DeviceKind
from modelium.common.testing import a_descriptor, a_memory_record, a_model_record
from modelium.core.measurements import Known, Measurements
from modelium.core.memory import (
    CUT,
    STEP_TOKENS,
    context_tokens,
    kv_cache_bytes,
    needed_by_record,
    needed_bytes,
    weight_bytes,
)
from modelium.core.policy import MemoryPolicy

POLICY = MemoryPolicy(kv_cache_bytes=100, overhead_bytes=1000, max_context_tokens=50)
CPU, CUDA = DeviceKind.CPU, DeviceKind.CUDA


@pytest.mark.parametrize(
    ("dtype", "kind", "expected"),
    [
        ("BF16", CUDA, 400),  # a GPU computes in what is stored
        ("BF16", CPU, 800),  # a CPU computes in float32: twice the bytes
        ("float16", CPU, 800),  # the other spelling
        ("F32", CPU, 400),  # already 32 bits wide
        ("I8", CPU, 400),  # quantised weights are not widened
    ],
)
def test_weights_are_held_as_the_device_computes(
    dtype: str, kind: DeviceKind, expected: int
) -> None:
    descriptor = a_descriptor(dtype=dtype, weight_bytes=400)
    assert weight_bytes(descriptor, kind, POLICY) == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [(20, 20), (50, 50), (4096, 50), (0, 50)],  # 0: the model does not say
)
def test_context_is_the_models_own_but_no_more_than_allowed(own: int, expected: int) -> None:
    assert context_tokens(a_descriptor(context_length=own), POLICY) == expected


@pytest.mark.parametrize(
    ("per_token", "kind", "expected"),
    [
        (1, CUDA, 100),  # the configured cache is enough for one request
        (4, CUDA, 200),  # 50 tokens of 4 bytes do not fit into 100
        (4, CPU, 400),  # in float32
    ],
)
def test_cache_is_enough_for_one_request_of_full_length(
    per_token: int, kind: DeviceKind, expected: int
) -> None:
    descriptor = a_descriptor(kv_bytes_per_token=per_token, context_length=4096)
    assert kv_cache_bytes(descriptor, kind, POLICY) == expected


def test_an_encoder_keeps_no_cache() -> None:
    encoder = a_descriptor(keeps_no_cache=True, kv_bytes_per_token=0, weight_bytes=400, dtype="F32")
    assert kv_cache_bytes(encoder, CPU, POLICY) == 0
    assert needed_bytes(encoder, CPU, POLICY) == 400 + POLICY.overhead_bytes


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (8_000, 8_000 * 4 + 8_000 * 6),  # shorter than the window and a step: all of it
        (50_000, 50_000 * 4 + (100 + STEP_TOKENS) * 6),  # six of the ten bytes see a window
    ],
)
def test_a_layer_with_a_window_keeps_no_more_than_that(context: int, expected: int) -> None:
    policy = MemoryPolicy(kv_cache_bytes=1, overhead_bytes=1, max_context_tokens=context)
    descriptor = a_descriptor(
        kv_bytes_per_token=10,
        windowed_kv_bytes_per_token=6,
        window_tokens=100,
        context_length=131_072,
    )
    assert kv_cache_bytes(descriptor, CUDA, policy) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Known(), 1400),  # never measured: weights of 400 and an overhead of 1000
        (Known(loads=1, highest_bytes=1000), 1000 + 90),  # 15 % of the 600 beside the weights
        (Known(loads=2, highest_bytes=1000), 1000 + 22),  # a fourth of that
        (Known(loads=9, highest_bytes=1000), 1000 + 12),  # 2 % stay
        (Known(loads=1, highest_bytes=1350), 1400),  # the margin asks for no more than the estimate
        (Known(loads=1, highest_bytes=1900), 1900 + 30),  # more than estimated: 2 % above that
        (Known(loads=1, highest_bytes=100), 400),  # a figure below the weights is not believed
        (Known(overheads=((400, 800),)), 400 + 920),  # another model had 800 beside its weights
        (Known(overheads=((400, 100),)), 400 + 500),  # they lower the estimate by half at most
        (Known(overheads=((400, 9000),)), 400 + 2000),  # and double it at most
        (Known(overheads=((400, 1200),)), 400 + 1380),  # the estimate was too low: the whole margin
        (Known(overheads=((199, 100),)), 1400),  # a model that is much smaller does not lower it
        (Known(overheads=((199, 1200),)), 400 + 1380),  # but raises it
        (Known(overheads=((400, 500), (300, 800))), 400 + 920),  # of two, the higher
        (Known(older_bytes=1700, overheads=((400, 800),)), 1700),  # as much as an older version had
        (Known(outgrown_bytes=1400), 400 + 2000),  # twice what was too little
        (Known(outgrown_bytes=5000), 5000),  # beyond four times the overhead nothing is added
        (Known(loads=2, highest_bytes=1000, outgrown_bytes=1200), 2000),  # more while it loads
        (Known(loads=1, highest_bytes=1500, outgrown_bytes=1400), 1522),  # now it is measured
    ],
)
@pytest.mark.parametrize("kind", [CPU, CUDA])
def test_what_is_known_replaces_the_estimate(known: Known, kind: DeviceKind, expected: int) -> None:
    descriptor = a_descriptor(dtype="F32", weight_bytes=400, kv_bytes_per_token=0)
    assert needed_bytes(descriptor, kind, POLICY, known) == expected + 100  # the cache


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (0, 400 + 2000 + 100),  # no such device is known
        (3000, 400 + 2000 + 100),
        (2000, 2000),  # all of the largest
        (1200, 400 + 1000 + 100),  # but the estimate stands, whatever there is
    ],
)
def test_after_running_out_of_memory_no_more_is_asked_for_than_a_whole_device(
    largest: int, expected: int
) -> None:
    descriptor = a_descriptor(dtype="F32", weight_bytes=400, kv_bytes_per_token=0)
    known = Known(outgrown_bytes=1400)
    assert needed_bytes(descriptor, CUDA, POLICY, known, largest_bytes=largest) == expected


def test_a_low_measurement_is_not_believed_while_loads_fail() -> None:
    descriptor = a_descriptor(dtype="F32", weight_bytes=400, kv_bytes_per_token=0)
    record = a_model_record(descriptor=descriptor, failures=1)
    figures = Measurements([a_memory_record(device_kind=CUDA, highest_bytes=1000)])
    assert needed_by_record(record, CUDA, POLICY, figures) == 1500
    forgiven = record.model_copy(update={"failures": 0})
    assert needed_by_record(forgiven, CUDA, POLICY, figures) == 1000 + 90 + 100


@pytest.mark.parametrize(
    ("per_token", "cut"),
    [
        (0, 100 // CUT),  # a part of the configured cache
        (1, 50),  # but enough for one request
        (4, 200),  # which fills all there is: nothing can be cut
    ],
)
def test_a_cut_cache_still_holds_one_request(per_token: int, cut: int) -> None:
    descriptor = a_descriptor(kv_bytes_per_token=per_token, context_length=4096)
    assert kv_cache_bytes(descriptor, CUDA, POLICY, cut=True) == cut


@pytest.mark.parametrize(
    ("per_token", "out_of_memory", "expected"),
    [
        (0, 1, 1400 + 100),  # as much as was too little: the cache is cut instead
        (0, 2, 400 + 2000 + 100),  # twice as much beside the weights
        (4, 1, 400 + 2000 + 200),  # at once where there is nothing to cut
    ],
)
def test_want_of_memory_first_cuts_the_cache_then_raises_what_is_needed(
    per_token: int, out_of_memory: int, expected: int
) -> None:
    descriptor = a_descriptor(
        dtype="F32", weight_bytes=400, kv_bytes_per_token=per_token, context_length=4096
    )
    record = a_model_record(descriptor=descriptor, failures=1, out_of_memory=out_of_memory)
    figures = Measurements(
        [a_memory_record(device_kind=CUDA, loads=0, highest_bytes=0, outgrown_bytes=1400)]
    )
    assert needed_by_record(record, CUDA, POLICY, figures) == expected


def test_a_model_without_a_descriptor_needs_nothing_yet() -> None:
    assert needed_by_record(a_model_record(descriptor=None), CUDA, POLICY) == 0


def test_what_was_measured_of_a_copy_counts() -> None:
    descriptor = a_descriptor(
        dtype="F32", weight_bytes=400, kv_bytes_per_token=0, content_fingerprint="c1"
    )
    measured = a_memory_record(fingerprint="c1", device_kind=CUDA, loads=9, highest_bytes=2000)
    for files in ("f1", "f2"):
        record = a_model_record(fingerprint=files, descriptor=descriptor)
        assert needed_by_record(record, CUDA, POLICY, Measurements([measured])) > 2000
