"""How the runs of many models on few devices count: clients, engines, bounds."""

from collections import Counter
from itertools import count

import pytest

from benchmarks.swapping.bounds import SLACK_S, too_late
from benchmarks.swapping.clients import (
    NO_ANSWER,
    TOO_LATE,
    Asked,
    Attempt,
    pause_before_retry_s,
    zipf_arrivals,
)
from benchmarks.swapping.engines import Engines
from benchmarks.swapping.figures import lost, requests_table
from modelium.common import events as ev
from modelium.common.records import FailureKind
from modelium.common.settings_gateway import Gateway
from modelium.common.testing import a_descriptor, a_device

DEVICE = "cpu-local-0"
_IDS = count()


@pytest.mark.parametrize(
    ("tries", "status", "headers", "pause_s"),
    [
        (1, 200, {}, None),  # answered
        (1, 503, {"retry-after": "7"}, 7.0),
        (1, 503, {"retry-after": "7", "x-should-retry": "false"}, None),
        (1, 400, {"x-should-retry": "true"}, 0.5),
        (1, 400, {}, None),  # it is the request that is wrong
        (1, 429, {}, 0.5),
        (2, 429, {}, 1.0),
        (3, 429, {"retry-after": "7"}, None),  # they try three times in all
        (1, 503, {"retry-after": "121"}, None),  # longer than they obey
        (1, NO_ANSWER, {}, 0.5),  # a connection that breaks
        (1, TOO_LATE, {}, None),
    ],
)
def test_clients_try_again_as_the_official_ones_do(
    tries: int, status: int, headers: dict[str, str], pause_s: float | None
) -> None:
    assert pause_before_retry_s(tries, status, headers) == pause_s


def test_arrivals_are_as_many_as_asked_for_and_rarer_by_rank() -> None:
    arrivals = zipf_arrivals(["a", "b", "c", "d"], 1000, 60.0, seed=1)
    assert arrivals == zipf_arrivals(["a", "b", "c", "d"], 1000, 60.0, seed=1)
    assert len(arrivals) == 1000
    assert 0 <= arrivals[0].at_s <= arrivals[-1].at_s <= 60
    counts = Counter(arrival.model for arrival in arrivals)
    assert counts["a"] > counts["b"] > counts["c"] > counts["d"] > 0


def asked(*attempts: Attempt, stream: bool = False) -> Asked:
    return Asked("qwen", 0.0, cold=True, stream=stream, attempts=list(attempts), ended_s=9.0)


def test_a_request_is_lost_if_its_last_try_was_no_good_answer() -> None:
    refused, good = Attempt(503, 1.0, "HTTP 503: loading"), Attempt(200, 1.0)
    broken = Attempt(200, 1.0, "HTTP 200: half an answer")
    some = [asked(good), asked(refused, good), asked(broken), asked(refused, refused, refused)]
    assert len(lost(some)) == 2
    cells = [cell.strip() for cell in requests_table(some).splitlines()[2].split("|")]
    assert cells[2:6] == ["4", "1", "1", "2"]


def test_each_try_has_the_bound_of_its_kind_and_of_its_model() -> None:
    gateway = Gateway(queue_timeout_seconds=50, stream_queue_timeout_seconds=600)
    just, longer = Attempt(200, 50.0 + SLACK_S), Attempt(200, 51.0 + SLACK_S)
    assert too_late([asked(just), asked(longer, stream=True)], {"qwen": 33_000.0}, gateway) == []
    assert len(too_late([asked(just, longer)], {}, gateway)) == 1
    assert len(too_late([asked(just, stream=True)], {"qwen": 20.0}, gateway)) == 1


def about(model: str, generation: int = 1) -> dict[str, object]:
    return {
        "message_id": f"m{next(_IDS)}",
        "model": model,
        "instance_id": f"{model}.{generation}",
        "agent_id": "local",
        "device_ids": (DEVICE,),
        "generation": generation,
    }


def load(model: str, reserve_bytes: int) -> ev.LoadModel:
    more = {"path": "/models", "fingerprint": "f", "descriptor": a_descriptor()}
    sizes = {"reserve_bytes": reserve_bytes, "kv_cache_bytes": 1, "context_length": 0}
    return ev.LoadModel.model_validate({**about(model), **more, **sizes})


def unloaded(model: str) -> ev.RuntimeUnloaded:
    return ev.RuntimeUnloaded.model_validate(about(model))


def heard(*events: ev.Message) -> Engines:
    engines = Engines()
    device = a_device(device_id=DEVICE, total_bytes=100, free_bytes=100)
    beat = ev.AgentHeartbeat(agent_id="local", launcher="process", devices=(device,), instances=())
    for event in (beat, *events):
        engines.hear(event)
    return engines


def test_the_ledger_counts_an_engine_from_its_command_to_its_end() -> None:
    good = heard(load("a", 60), unloaded("a"), load("b", 60))
    assert good.over_budget() == []
    assert (good.most[DEVICE], good.most_engines) == (60, 1)
    assert heard(load("a", 60), load("b", 60)).over_budget() != []


def test_what_is_delivered_once_more_changes_nothing() -> None:
    first = load("a", 60)
    engines = heard(first, unloaded("a"), first)
    assert engines.held == {}
    assert engines.counts == {"loads": 1, "unloads": 1}


def test_an_engine_of_a_lost_agent_holds_its_memory_and_serves_nobody() -> None:
    said = {**about("a"), "endpoint": "http://x", "reserved_bytes": 60, "resident_bytes": 70}
    loaded = ev.RuntimeLoaded.model_validate(said)
    gone = {**about("a"), "kind": FailureKind.LOST, "reason": "its agent is silent"}
    engines = heard(load("a", 60), loaded)
    assert engines.serves("a")
    engines.hear(ev.RuntimeFailed.model_validate(gone))
    assert not engines.serves("a")
    assert engines.held == {"a.1": ((DEVICE,), 70)}
