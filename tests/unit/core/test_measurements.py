"""Which figures count for a model's next load."""

from datetime import UTC, datetime, timedelta
from typing import Any

from modelium.common.records import DeviceKind, MemoryRecord
from modelium.common.testing import a_memory_record
from modelium.core.measurements import Known, Measurements

CPU, CUDA = DeviceKind.CPU, DeviceKind.CUDA
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def figure(day: int = 0, **changes: Any) -> MemoryRecord:
    """One of version 1, last changed on that day; 30 bytes, of which 10 are weights."""
    shown = {"highest_bytes": 30, "weight_bytes": 10, "version": 1}
    return a_memory_record(**shown | {"updated_at": DAY + timedelta(days=day)} | changes)


def known(*figures: MemoryRecord, files: str = "f1", kind: DeviceKind = CPU) -> Known:
    return Measurements(figures).known(files, "vllm", kind)


def test_nothing_is_known_of_an_empty_book() -> None:
    assert known() == Known()


def test_the_same_files_on_the_same_kind_of_device_count() -> None:
    assert known(figure(loads=2)) == Known(loads=2, highest_bytes=30, overheads=((10, 20),))


def test_another_kind_of_device_says_nothing() -> None:
    assert known(figure(), kind=CUDA) == Known()


def test_another_kind_of_engine_says_nothing() -> None:
    assert known(figure(engine="ray_serve-2.60")) == Known()


def test_other_files_show_what_the_engine_takes_beside_weights_the_lowest_first() -> None:
    others = [figure(fingerprint="f2", highest_bytes=50), figure(fingerprint="f3")]
    assert known(*others) == Known(overheads=((10, 20), (10, 40)))


def test_after_an_upgrade_the_older_version_is_a_floor_until_the_new_one_was_measured() -> None:
    old = figure(engine="vllm-1.0", highest_bytes=30)
    other = figure(day=1, fingerprint="f2", engine="vllm-2.0", highest_bytes=60)
    assert known(old, other) == Known(older_bytes=30, overheads=((10, 50),))
    new = figure(day=2, engine="vllm-2.0", highest_bytes=20)
    now = known(old, other, new)
    assert (now.loads, now.highest_bytes) == (1, 20)


def test_a_version_that_only_ran_out_of_memory_is_not_taken_for_the_engine_of_the_place() -> None:
    failed = figure(day=1, engine="vllm", loads=0, highest_bytes=0, outgrown_bytes=40)
    now = known(figure(), failed)
    assert (now.loads, now.highest_bytes, now.outgrown_bytes) == (1, 30, 40)


def test_a_newer_figure_takes_the_place_of_an_older_and_not_the_other_way_round() -> None:
    newer = figure(version=2, highest_bytes=40)
    for first, second in ((figure(), newer), (newer, figure())):
        book = Measurements([first]).with_record(second)
        assert book.known("f1", "vllm", CPU).highest_bytes == 40


def test_one_bad_figure_among_many_does_not_decide_for_new_models() -> None:
    others = [figure(fingerprint=f"f{n}") for n in range(2, 12)]
    bad = figure(fingerprint="bad", highest_bytes=9_000)
    assert known(*others, bad).learned_overhead(10) == 20
