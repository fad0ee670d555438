"""How plans and explanations read, whatever the gateway says."""

import json
from typing import Any

import pytest

from modelium.cli.explain import show_explanation
from modelium.cli.gateway_client import GatewayClient
from modelium.cli.plan import SENTENCES, show_plan
from modelium.common.plans import PlanOutcome

PLAN: dict[str, Any] = {
    "model": "qwen",
    "state": "unloaded",
    "outcome": "load",
    "reason": "needs 2.8 GiB, CPU slot 0 has 4.0 GiB free",
    "device_ids": ["cpu-local-0"],
    "device_name": "CPU slot 0",
    "needed_bytes": 3 << 30,
    "free_bytes": 4 << 30,
    "victims": [],
    "eta_s": 12.4,
}
VICTIM = {"model": "a", "held_bytes": 3 << 30, "in_flight": 2, "reason": "has 2 in flight"}
DECISION: dict[str, Any] = {
    "model": "qwen",
    "action": "queue",
    "reason": "a is in use",
    "confidence": 1.0,
    "dropped_by": None,
    "refused": False,
    "device_ids": ["cpu-local-0"],
    "victims": [],
}
RECORD: dict[str, Any] = {
    "decision_id": "d1",
    "made_at": "2026-01-02T03:04:05.678Z",
    "origin": "orchestrator",
    "source": "rules",
    "inputs_digest": "0123",
    "decisions": [DECISION],
    "plan": None,
}
FOUND: dict[str, Any] = {
    "about": "model",
    "id": "qwen",
    "model": "qwen",
    "state": "unloaded",
    "reason": "no room",
    "request": None,
    "decisions": [RECORD],
}
REQUEST: dict[str, Any] = {
    "request_id": "r1",
    "model": "qwen",
    "gateway_id": "g1",
    "found": "unloaded",
    "since": "2026-01-02T03:04:05Z",
    "waited_s": 3.21,
    "ended": "served",
}


class Told(GatewayClient):
    """A gateway that answers so."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__("http://gateway")
        self._answer = answer
        self.asked: list[Any] = []

    def plan(self, name: str) -> Any:
        self.asked.append(name)
        return self._answer

    def explain(self, what: str, limit: int) -> Any:
        self.asked.append((what, limit))
        return self._answer


PLANNED = {"model": "qwen", "runtime": "vllm", "reasoning": "fits"}


def said_of_plan(capsys: pytest.CaptureFixture[str], **changes: Any) -> list[str]:
    show_plan(Told(PLAN | changes), "qwen", as_json=False)
    return capsys.readouterr().out.splitlines()


def said_of(capsys: pytest.CaptureFixture[str], **changes: Any) -> list[str]:
    show_explanation(Told(FOUND | changes), "qwen", 20, as_json=False)
    return capsys.readouterr().out.splitlines()


def test_every_outcome_has_its_sentence() -> None:
    assert set(SENTENCES) == set(PlanOutcome)


def test_a_load_says_where_and_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    assert said_of_plan(capsys) == [
        "qwen would be loaded on CPU slot 0 (the last time it took 12 s).",
        "  needs 2.8 GiB, CPU slot 0 has 4.0 GiB free",
    ]


def test_what_is_not_known_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    changes = {"outcome": "refuse", "device_ids": [], "device_name": "", "eta_s": None}
    [sentence, _] = said_of_plan(capsys, **changes)
    assert sentence == "qwen would be refused: waiting cannot help."


def test_a_loaded_model_needs_no_reason(capsys: pytest.CaptureFixture[str]) -> None:
    [sentence] = said_of_plan(capsys, outcome="route", reason="it is loaded", eta_s=0)
    assert sentence == "qwen is loaded on CPU slot 0: a request is served at once."


def test_those_that_give_way_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    [_, _, _, titles, row] = said_of_plan(capsys, outcome="displace", victims=[VICTIM])
    assert titles.split() == ["GIVES", "WAY", "MEMORY", "IN", "FLIGHT", "WHY"]
    assert row.split() == ["a", "3.0", "GiB", "2", "it", "has", "2", "in", "flight"]


def test_an_outcome_of_a_newer_gateway_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said_of_plan(capsys, outcome="move")[0] == "qwen: move"


def test_a_model_is_explained_by_its_decisions(capsys: pytest.CaptureFixture[str]) -> None:
    [sentence, _, titles, row] = said_of(capsys)
    assert sentence == "qwen is unloaded: no room"
    assert titles.split()[-2:] == ["DECISION", "REASON"]
    assert row == "2026-01-02 03:04:05  orchestrator  queue   qwen   d1        a is in use"


@pytest.mark.parametrize(
    ("record", "decision", "wanted"),
    [
        ({"origin": "brain", "source": "llm"}, {}, "brain, llm"),
        ({"source": "llm"}, {"dropped_by": "pinned"}, "not done, forbidden by: pinned"),
        ({}, {"victims": ["a", "b"]}, "a is in use; gives way: a, b"),
        ({"plan": PLANNED}, {}, "vllm: fits"),
        ({"plan": PLANNED | {"dropped_by": "other_runtime"}}, {}, "forbidden by: other_runtime"),
        ({"plan": PLANNED, "shadow": True}, {}, "vllm: fits; said for comparison"),
        ({"origin": "brain", "shadow": True}, {}, "a is in use; said for comparison"),
    ],
)
def test_a_decision_says_whose_it_is_and_what_became_of_it(
    capsys: pytest.CaptureFixture[str],
    record: dict[str, Any],
    decision: dict[str, Any],
    wanted: str,
) -> None:
    told = said_of(capsys, decisions=[RECORD | record | {"decisions": [DECISION | decision]}])
    assert wanted in "\n".join(told)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, "and waited 3.2 s, then it was served."),
        ({"waited_s": None, "ended": ""}, "and waits."),
        ({"ended": "model_loading"}, "then it was refused with model_loading."),
        ({"ended": "left"}, "then its client left or the gateway stopped."),
    ],
)
def test_a_request_says_what_became_of_it(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], wanted: str
) -> None:
    told = said_of(capsys, about="request", request=REQUEST | changes)
    assert told[0].startswith("The request r1 found qwen unloaded at 2026-01-02 03:04:05 ")
    assert told[0].endswith(wanted)


def test_nothing_decided_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert said_of(capsys, decisions=[])[-1] == "No decision about it is kept."
    assert said_of(capsys, decisions=[], state=None)[0] == "qwen is gone."


def test_json_is_what_the_gateway_said(capsys: pytest.CaptureFixture[str]) -> None:
    client = Told(PLAN)
    show_plan(client, "qwen", as_json=True)
    show_explanation(client, "r1", 5, as_json=True)
    both = capsys.readouterr().out
    assert json.loads(both[: len(both) // 2]) == PLAN
    assert client.asked == ["qwen", ("r1", 5)]
