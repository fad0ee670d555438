"""What is noted of engines: 400 bytes were reserved, for weights of 100 and a cache of 50."""

import pytest

from modelium.common.records import DeviceKind, FailureKind, Instance, InstanceState, MemoryRecord
from modelium.common.testing import an_instance_record
from modelium.registry.memory import Told, after, has_outgrown, id_of

from . import facts

GPU = facts.MEMORY.model_copy(update={"device_kind": DeviceKind.CUDA})


def noted(*told: Told) -> MemoryRecord:
    record = None
    for one in told:
        record = after(record, one)
    assert record is not None
    return record


def an_engine(generation: int = 1, *, resident: int) -> Instance:
    return an_instance_record(
        instance_id=f"qwen.{generation}",
        generation=generation,
        state=InstanceState.LOADED,
        resident_bytes=resident,
        memory=facts.MEMORY,
    )


def test_a_first_load_is_noted_with_what_it_had_been_given() -> None:
    record = noted(facts.loaded(resident_bytes=300))
    assert (record.loads, record.last_instance_id) == (1, "qwen.1")
    assert (record.last_bytes, record.highest_bytes) == (300, 300)  # a CPU's cache is untouched
    assert (record.estimated_bytes, record.weight_bytes) == (350, 100)


def test_on_a_gpu_the_cache_is_taken_when_the_engine_is_ready() -> None:
    assert noted(facts.loaded(resident_bytes=300, memory=GPU)).highest_bytes == 250


def test_of_several_loads_the_highest_and_the_last_are_kept() -> None:
    record = noted(*(facts.loaded(n, resident_bytes=b) for n, b in ((1, 300), (2, 320), (3, 310))))
    assert (record.loads, record.highest_bytes, record.last_bytes) == (3, 320, 310)


def test_a_repeated_load_counts_once_and_shows_what_grew_beyond_its_cache() -> None:
    record = noted(facts.loaded(), facts.loaded(resident_bytes=340))
    assert (record.loads, record.highest_bytes) == (1, 300)  # 40 are less than its cache of 50
    assert noted(facts.loaded(), facts.loaded(resident_bytes=380)).highest_bytes == 330


def test_an_engine_that_grows_beyond_its_cache_raises_the_figure() -> None:
    assert noted(facts.loaded(), an_engine(resident=380)).highest_bytes == 330
    assert after(None, an_engine(resident=380)) is None


@pytest.mark.parametrize(
    ("resident", "expected"),
    [(300, False), (350, False), (351, True)],  # 300 at its load, and a cache of 50
)
def test_growth_is_looked_at_only_beyond_the_cache(resident: int, expected: bool) -> None:
    assert has_outgrown(an_engine(resident=resident), 300) is expected


def test_running_out_of_memory_notes_what_was_too_little_and_is_no_load() -> None:
    record = noted(facts.out_of_memory(), facts.out_of_memory(), facts.loaded(2))
    assert (record.loads, record.outgrown_bytes) == (1, 350)
    higher = noted(facts.out_of_memory(), facts.out_of_memory(2, reserved_bytes=600))
    assert higher.outgrown_bytes == 550


@pytest.mark.parametrize(
    "silent",
    [
        facts.loaded(resident_bytes=0),
        facts.loaded(memory=None),
        facts.loaded(fingerprint=""),
        facts.out_of_memory(kind=FailureKind.CRASHED),
        facts.out_of_memory(reserved_bytes=0),
    ],
)
def test_what_says_nothing_of_memory_changes_no_figure(silent: Told) -> None:
    assert id_of(silent) is None
