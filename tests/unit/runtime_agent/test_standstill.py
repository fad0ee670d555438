"""When an engine is suspected to hang: one look every ten seconds, a timeout of a minute."""

import pytest

from modelium.runtime_agent.runtime import Work
from modelium.runtime_agent.standstill import Standstill

BUSY, IDLE, SILENT = Work(2, "7"), Work(0, "7"), Work(0, "")
LOOKS = 8
"""The first one has nothing to compare with."""


def _suspected(*, work: Work, in_use: bool, cores: float | None = None) -> bool:
    seen = Standstill(60.0)
    return any(
        seen.suspects(
            work,
            in_use=in_use,
            cpu_s=None if cores is None else cores * 10 * look,
            now_s=10.0 * look,
        )
        for look in range(LOOKS)
    )


@pytest.mark.parametrize(
    ("work", "in_use", "cores", "expected"),
    [
        (BUSY, False, None, True),  # it says that it has requests, and gets on with none
        (IDLE, True, None, True),  # a core that hangs in its first step says that it has none
        (SILENT, True, None, True),  # it does not even say
        (IDLE, False, None, False),  # nobody wants anything
        (SILENT, False, None, False),
        (BUSY, True, 0.02, True),  # a CPU engine that only waits uses a little
        (BUSY, True, 0.9, False),  # one step of a long prompt may take minutes there
    ],
)
def test_who_has_requests_and_stands_still_is_suspected(
    work: Work, in_use: bool, cores: float | None, expected: bool
) -> None:
    assert _suspected(work=work, in_use=in_use, cores=cores) is expected


def test_who_gets_on_is_not_suspected() -> None:
    seen = Standstill(60.0)
    for look in range(20):
        work = Work(1, str(look // 5))
        assert not seen.suspects(work, in_use=True, cpu_s=None, now_s=10.0 * look)


def test_time_without_requests_does_not_count() -> None:
    seen = Standstill(60.0)
    for look in range(20):
        work = BUSY if look % 6 else IDLE
        assert not seen.suspects(work, in_use=False, cpu_s=None, now_s=10.0 * look)


def test_a_proof_counts_as_progress() -> None:
    seen = Standstill(60.0)
    seen.suspects(BUSY, in_use=True, cpu_s=None, now_s=0.0)
    assert seen.suspects(BUSY, in_use=True, cpu_s=None, now_s=60.0)
    seen.moved(60.0)
    assert not seen.suspects(BUSY, in_use=True, cpu_s=None, now_s=110.0)
