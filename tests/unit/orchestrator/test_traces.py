"""Which trace a decision is part of."""

from modelium.core.actions import Load, Queue, Unload
from modelium.orchestrator.traces import Traces

A, B = f"00-{'a' * 32}-{'1' * 16}-01", f"00-{'b' * 32}-{'1' * 16}-01"


def a_queue(model: str, *victims: str) -> Queue:
    return Queue(model, "no room", cause="room", victims=victims)


def a_load(model: str) -> Load:
    return Load(model, "agent", ("gpu",), 1, "somebody waits")


def test_a_decision_belongs_to_the_trace_that_asked_for_its_model() -> None:
    traces = Traces()
    traces.note("a", A)
    assert traces.of_actions([a_load("a"), a_load("b")]) == {"a": A}
    traces.drop("a")
    assert traces.of_actions([a_load("a")]) == {}


def test_a_victim_goes_within_the_trace_of_who_waits() -> None:
    traces = Traces()
    traces.note("b", B)
    found = traces.of_actions([Unload("a", "makes room for b"), a_queue("b", "a")])
    assert found["a"] == B


def test_of_one_trace_the_first_that_was_heard_counts_and_a_newer_trace_takes_its_place() -> None:
    traces = Traces()
    traces.note("a", A)
    traces.note("a", A.replace("1" * 16, "2" * 16))
    assert traces.of_actions([a_load("a")]) == {"a": A}
    traces.note("a", B)
    assert traces.of_actions([a_load("a")]) == {"a": B}


def test_who_asks_outside_of_any_trace_changes_nothing() -> None:
    traces = Traces()
    traces.note("a", A)
    traces.note("a", None)
    assert traces.of_actions([a_load("a")]) == {"a": A}
