"""How long a load may take."""

from modelium.runtime_agent.progress import LoadProgress, Signs


def _load(*, stall_s: float = 60.0, cap_s: float = 600.0) -> LoadProgress:
    return LoadProgress(started_s=0.0, stall_timeout_s=stall_s, load_timeout_s=cap_s)


def test_a_load_whose_log_grows_may_go_on() -> None:
    load = _load()
    for now_s in range(0, 300, 30):
        assert load.overdue(Signs(str(now_s), 1.0), now_s) is None


def test_a_silent_load_that_computes_may_go_on() -> None:
    load = _load()
    for now_s in range(0, 300, 30):
        assert load.overdue(Signs("0", float(now_s)), now_s) is None


def test_a_load_that_stands_still_is_given_up_with_the_setting_to_change() -> None:
    load = _load()
    assert load.overdue(Signs("9", 5.0), 0.0) is None
    assert load.overdue(Signs("9", 5.0), 59.9) is None
    late = load.overdue(Signs("9", 5.0), 60.0)
    assert late is not None
    assert "vllm.stall_timeout_seconds" in late


def test_the_little_a_waiting_process_computes_is_no_progress() -> None:
    load = _load()
    load.overdue(Signs("9", 5.0), 0.0)
    assert load.overdue(Signs("9", 5.2), 30.0) is None
    assert load.overdue(Signs("9", 5.4), 60.0) is not None


def test_slow_computing_adds_up_to_progress() -> None:
    load = _load()
    load.overdue(Signs("9", 5.0), 0.0)
    load.overdue(Signs("9", 5.3), 30.0)
    load.overdue(Signs("9", 5.6), 50.0)
    assert load.overdue(Signs("9", 5.6), 100.0) is None


def test_a_load_that_is_busy_for_ever_is_given_up_at_the_cap() -> None:
    load = _load(cap_s=600.0)
    for now_s in range(0, 600, 30):
        load.overdue(Signs(str(now_s), float(now_s)), now_s)
    late = load.overdue(Signs("600", 600.0), 600.0)
    assert late is not None
    assert "vllm.load_timeout_seconds" in late
