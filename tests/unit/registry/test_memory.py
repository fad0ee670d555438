"""What is noted of engines: 400 bytes were reserved, for weights of 100 and a cache of 50."""

import pytest

from modelium.common.records import FailureKind, Instance, InstanceState, MemoryRecord
from modelium.common.testing import an_instance_record
from modelium.registry.memory import Told, after, has_grown, id_of

from . import facts


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


def test_a_first_load_is_noted_without_its_cache_and_with_what_it_had_been_given() -> None:
    record = noted(facts.loaded(resident_bytes=300))
    assert (record.loads, record.last_instance_id) == (1, "qwen.1")
    assert (record.last_bytes, record.highest_bytes) == (250, 250)
    assert (record.estimated_bytes, record.weight_bytes) == (350, 100)


def test_copies_of_the_same_content_are_noted_as_one() -> None:
    content = facts.MEMORY.model_copy(update={"content_fingerprint": "c1"})
    told = [facts.loaded(memory=content, fingerprint=f, resident_bytes=300) for f in ("f1", "f2")]
    assert {id_of(it) for it in told} == {"c1:vllm-1.0:cpu"}
    assert noted(told[0]).memory_id == "c1:vllm-1.0:cpu"


def test_of_several_loads_the_highest_and_the_last_are_kept() -> None:
    record = noted(*(facts.loaded(n, resident_bytes=b) for n, b in ((1, 300), (2, 320), (3, 310))))
    assert (record.loads, record.highest_bytes, record.last_bytes) == (3, 270, 260)


def test_a_repeated_load_counts_once_and_shows_what_grew() -> None:
    record = noted(facts.loaded(), facts.loaded(resident_bytes=380))
    assert (record.loads, record.last_bytes, record.highest_bytes) == (1, 250, 330)


def test_an_engine_that_grows_raises_the_figure() -> None:
    assert noted(facts.loaded(), an_engine(resident=380)).highest_bytes == 330
    assert noted(facts.loaded(), an_engine(resident=280)).highest_bytes == 250
    assert after(None, an_engine(resident=380)) is None


@pytest.mark.parametrize(("resident", "expected"), [(299, False), (300, False), (301, True)])
def test_growth_is_more_than_at_the_load(resident: int, expected: bool) -> None:
    assert has_grown(an_engine(resident=resident), 300) is expected


def test_running_out_of_memory_notes_what_was_too_little_and_is_no_load() -> None:
    record = noted(facts.out_of_memory(), facts.out_of_memory(), facts.loaded(2))
    assert (record.loads, record.outgrown_bytes) == (1, 350)
    higher = noted(facts.out_of_memory(), facts.out_of_memory(2, reserved_bytes=600))
    assert higher.outgrown_bytes == 550


@pytest.mark.parametrize(
    "silent",
    [
        facts.loaded(resident_bytes=0),
        facts.loaded(resident_bytes=150),  # its weights and its cache, and no engine
        facts.loaded(memory=None),
        facts.loaded(fingerprint=""),
        facts.out_of_memory(kind=FailureKind.CRASHED),
        facts.out_of_memory(reserved_bytes=0),
    ],
)
def test_what_says_nothing_of_memory_changes_no_figure(silent: Told) -> None:
    assert id_of(silent) is None
