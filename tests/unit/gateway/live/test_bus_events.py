"""Which facts are for whom, and which models they are about."""

from datetime import UTC, datetime
from typing import Any

import pytest

from modelium.common.event_log import StoredEvent
from modelium.gateway.live.bus_events import NoSuchSubject, Wanted, is_news, models_of, patterns


def an_event(payload: Any, subject: str = "model.analyzed") -> StoredEvent:
    return StoredEvent(1, datetime(2026, 1, 2, tzinfo=UTC), subject, "test", payload)


def wanted(*models: str, **changes: Any) -> Wanted:
    fields = {"visible": models.__contains__, "sees_all": not models, "is_operator": False}
    return Wanted(**{**fields, **changes})


@pytest.mark.parametrize(
    ("subject", "matches"),
    [
        ("model.requested", True),
        ("model.*", True),
        ("*.requested", True),
        ("model.>", True),
        (">", True),
        ("model", False),
        ("*", False),
        ("runtime.*", False),
        ("model.*.>", False),
    ],
)
def test_subjects_match_as_they_do_on_nats(subject: str, matches: bool) -> None:
    [pattern] = patterns([subject])
    assert bool(pattern.fullmatch("model.requested")) is matches


@pytest.mark.parametrize("subject", ["gateway.>", "command.a.load", ">.x", "model.", "a b", ".*"])
def test_a_subject_of_no_fact_is_refused_with_those_there_are(subject: str) -> None:
    with pytest.raises(NoSuchSubject, match=r"model\.\*, runtime\.\*, decision\.\*"):
        patterns([subject])


@pytest.mark.parametrize(
    ("payload", "models"),
    [
        ({"model": "a"}, ("a",)),
        ({"model": None, "path": "/models/a"}, ("a",)),
        ({"path": "/models/a/"}, ("a",)),
        ({"plan": {"model": "a"}, "decisions": []}, ("a",)),
        ({"decisions": [{"model": "a", "victims": ["b"]}, {"model": "b"}]}, ("a", "b")),
        ({"advisor": "openai:x"}, ()),
        ([1], ()),
        ("no JSON", ()),
        ({"model": 5, "decisions": 3, "plan": []}, ()),
        ({"decisions": [{"victims": None}]}, ()),
    ],
)
def test_the_models_that_a_fact_is_about(payload: Any, models: tuple[str, ...]) -> None:
    assert models_of(payload) == models


@pytest.mark.parametrize(
    "payload",
    [
        {"model": "b"},
        {"path": "/models/b"},
        {"decisions": [{"model": "b", "victims": ["c"]}]},
        {"plan": {"model": "b"}},
    ],
)
def test_facts_about_other_models_are_not_told(payload: Any) -> None:
    assert wanted("a").shown(an_event(payload)) is None
    assert wanted("a", "b", "c").shown(an_event(payload)) is not None
    assert wanted().shown(an_event(payload)) is not None


@pytest.mark.parametrize(
    ("says", "news"),
    [
        ({"decisions": []}, False),
        ({"decisions": [], "plan": None, "failure": "", "source": "rules"}, False),
        ({"decisions": [{"model": "a"}]}, True),
        ({"decisions": [], "plan": {"model": "a"}}, True),
        ({"decisions": [], "failure": "too late"}, True),
        ("no JSON", True),
    ],
)
def test_a_decision_to_change_nothing_is_no_news(says: Any, news: bool) -> None:
    event = an_event(says, "decision.made")
    assert (wanted().shown(event) is not None) is news
    assert wanted(everything=True).shown(event) is not None
    assert is_news(an_event({"decisions": []}, "model.analyzed"))


def test_what_is_no_object_might_be_about_any_model() -> None:
    assert wanted("a").shown(an_event("no JSON")) is None
    assert wanted().shown(an_event("no JSON")) is not None


def test_of_a_decision_about_several_models_the_own_part_is_told() -> None:
    parts = [{"model": "a", "victims": ["b", "a2"]}, {"model": "b", "victims": []}]
    told = wanted("a", "a2").shown(an_event({"decisions": parts, "plan": {"model": "b"}}))
    assert told is not None
    assert told.payload == {"decisions": [{"model": "a", "victims": ["a2"]}], "plan": None}


def test_places_and_logs_are_for_operators() -> None:
    payload = {
        "model": "a",
        "log_tail": ["x"],
        "record": {"path": "/p", "copies": [{"endpoint": ""}]},
    }
    told = wanted().shown(an_event(payload))
    assert told is not None
    assert told.payload == {"model": "a", "record": {"copies": [{}]}}
    whole = wanted(is_operator=True).shown(an_event(payload))
    assert whole is not None
    assert whole.payload == payload


def test_one_model_is_named_and_several_are_not() -> None:
    one = wanted().shown(an_event({"model": "a"}))
    two = wanted().shown(an_event({"decisions": [{"model": "a"}, {"model": "b"}]}))
    assert one is not None
    assert two is not None
    assert (one.model, two.model) == ("a", None)
