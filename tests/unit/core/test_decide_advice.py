"""Which advice is followed, and what a load reserves."""

from modelium.common.figures import DecidedAction, Decision
from modelium.core.actions import Load
from modelium.core.decide import decide
from tests.unit.core.places import POLICY, cold, device, done, loaded, seen, waiting


def evict(model: str) -> Decision:
    return Decision(model=model, action=DecidedAction.EVICT, reason="not used for 60 s")


def test_advice_to_evict_an_idle_model_is_followed() -> None:
    snapshot = seen(device(free=1), loaded("b", idle_s=60))
    assert done(snapshot, evict("b")) == ["unload b"]


def test_advice_older_than_the_last_use_is_not_followed() -> None:
    snapshot = seen(device(free=1), loaded("b", idle_s=2))
    assert done(snapshot, evict("b"), advice_age_s=3) == []
    assert done(snapshot, evict("b"), advice_age_s=1) == ["unload b"]


def test_advice_to_load_is_followed_only_into_free_memory() -> None:
    advice = Decision(model="a", action=DecidedAction.LOAD, reason="soon")
    assert done(seen(device(), cold("a")), advice) == ["load a on 0"]
    assert done(seen(device(free=1), loaded("b"), cold("a")), advice) == []


def test_a_model_that_shall_be_kept_gives_way_last() -> None:
    keep = Decision(model="c", action=DecidedAction.KEEP, reason="wanted soon")
    snapshot = seen(
        device(total=6, free=0), loaded("b", idle_s=10), loaded("c", idle_s=40), waiting("a")
    )
    assert done(snapshot, keep) == ["unload b"]


def test_a_model_that_shall_be_kept_gives_way_before_one_in_use() -> None:
    """Whoever waits would wait for the end of what that one does, or for too long at all."""
    keep = Decision(model="idle", action=DecidedAction.KEEP, reason="hostile")
    for since_s, other in (
        (1, loaded("other", in_flight=5, idle_s=0, rate_per_s=1)),
        (60, loaded("other", in_flight=5, idle_s=0, rate_per_s=1)),
        (60, loaded("other", waiting=1, idle_s=0)),
        (1, loaded("other", idle_s=1, rate_per_s=9)),  # costs more than the wait is worth
        (1, loaded("other", idle_s=1, loaded_for_s=1)),  # has its minimum time to serve
    ):
        idle, waiter = loaded("idle", idle_s=40), waiting("a", since_s=since_s)
        place = seen(device(total=6, free=0), idle, other, waiter)
        assert done(place, keep) == done(place) == ["unload idle"]


def test_what_is_reserved_is_what_the_model_needs_on_that_device() -> None:
    (load,) = decide(seen(device(), waiting("a", 2)), (), POLICY)
    assert isinstance(load, Load)
    assert load.reserve_bytes == 2 << 30
    assert load.agent_id == "local"


def test_advice_to_load_what_is_loaded_for_a_waiter_starts_no_second_engine() -> None:
    advice = Decision(model="a", action=DecidedAction.LOAD, reason="soon")
    assert done(seen(device(0), device(1), waiting("a")), advice) == ["load a on 0"]
