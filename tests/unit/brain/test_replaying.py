"""The child process in which the recent demand is replayed."""

import signal

import pytest

from modelium.brain.tuning.job import Job, carried_out
from modelium.brain.tuning.replaying import NotReplayed, TookTooLong, done, replay
from modelium.common.settings_policies import Policies
from modelium.core.tuning import CURRENT, LRU
from modelium.replay.parts import Need
from tests.unit.brain.kit import GB

LATER = "displace_after_seconds=50"


def a_job() -> Job:
    """Two models take turns on a device that has room for one."""
    return Job(
        requests=tuple((30.0 * n, "ab"[n % 2], 1.0) for n in range(120)),
        needs=dict.fromkeys("ab", Need(GB, 10.0)),
        devices=1,
        device_bytes=GB,
        candidates={CURRENT: Policies(), LATER: Policies(displace_after_seconds=50)},
        interval_s=10,
        patience_s=10,
    )


async def test_the_child_replays_what_it_is_told_as_this_process_would() -> None:
    said = await replay(a_job(), cpu_seconds=60)
    assert said.replayed == carried_out(a_job()).replayed
    assert 0 < said.spent_ratio < 1
    assert said.replayed.keys() == {CURRENT, LATER, LRU}
    assert said.replayed[CURRENT].cold == 120
    assert said.replayed[CURRENT].p99_wait_s == pytest.approx(10)
    assert said.replayed[CURRENT].too_late == 0  # each waits for one load, of as long
    hasty = a_job().model_copy(update={"patience_s": 9.9})
    assert carried_out(hasty).replayed[CURRENT].too_late == 120


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (-signal.SIGXCPU, TookTooLong, "the replay took more than 300 s of CPU"),
        (-signal.SIGKILL, NotReplayed, "the replay ended with code -9"),
        (1, NotReplayed, "the replay ended with code 1"),
    ],
)
def test_a_child_that_says_nothing_of_use_is_told_by_its_end(
    code: int, error: type[NotReplayed], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        done(b"", code, 300)
    assert type(caught.value) is error


async def test_where_no_child_can_be_started_the_round_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # That ended the brain's process.
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(NotReplayed, match="cannot be started: No such file"):
        await replay(a_job(), cpu_seconds=60)
