"""What is kept for explaining: the same in memory and on Redis, and never too much of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelium.common import keys
from modelium.common.clock import SystemClock
from modelium.common.descriptor import RuntimeKind
from modelium.common.errors import DependencyUnavailable
from modelium.common.figures import DecidedAction, Decision, DecisionSource, DeploymentPlan
from modelium.common.history import Bounds, DecisionRecord, NoSuchDecision, RequestRecord
from modelium.common.records import ModelState
from modelium.common.redis_store import RETRY_FOR_S, RedisStore
from modelium.common.redis_store_connection import Connection
from modelium.common.redis_store_history import RedisHistory
from modelium.common.store import History, Store
from modelium.common.testing.history import InMemoryHistory
from tests.contract.stores import opened
from tests.servers import Server
from tests.system import free_port

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["memory", "redis"])
async def small(request: pytest.FixtureRequest) -> AsyncIterator[History]:
    """One that keeps little."""
    bounds = Bounds(decisions=4, decisions_per_model=2, requests=3)
    if request.param == "memory":
        yield InMemoryHistory(SystemClock(), lambda: True, bounds)
        return
    server: Server = request.getfixturevalue("redis")
    connection = Connection(server.url, RETRY_FOR_S)
    await connection.redis.flushall()
    yield RedisHistory(connection, bounds)
    await connection.redis.aclose()


def a_decision(number: int = 0, model: str = "qwen", **changes: Any) -> DecisionRecord:
    decision = Decision(model=model, action=DecidedAction.QUEUE, reason="«b», at [100 %]")
    fields = {
        "decision_id": f"d{number}",
        "made_at": START + timedelta(seconds=number),
        "origin": "orchestrator",
        "source": DecisionSource.RULES,
        "inputs_digest": "0123",
        "decisions": (decision,),
    }
    return DecisionRecord.model_validate(fields | changes)


def a_request(number: int = 0, **changes: Any) -> RequestRecord:
    fields = {
        "request_id": f"r{number}",
        "model": "qwen",
        "gateway_id": "gateway-1",
        "found": ModelState.UNLOADED,
        "since": START,
    }
    return RequestRecord.model_validate(fields | changes)


async def test_what_was_never_noted_is_none(store: Store) -> None:
    assert await store.history.decision("d0") is None
    assert await store.history.decisions_of("qwen", most=5) == []
    assert await store.history.request("r0") is None


async def test_a_decision_is_read_as_it_was_noted(store: Store) -> None:
    plan = DeploymentPlan(
        model="qwen", runtime=RuntimeKind.VLLM, needed_bytes=5, confidence=0.5, reasoning="fits"
    )
    dropped = Decision(
        model="b", action=DecidedAction.EVICT, reason="", confidence=0.25, dropped_by="pinned"
    )
    for record in (a_decision(), a_decision(1, decisions=(dropped,)), a_decision(2, plan=plan)):
        await store.history.note_decision(record)
        assert await store.history.decision(record.decision_id) == record


async def test_all_decisions_are_read_page_by_page_the_newest_first(store: Store) -> None:
    records = [a_decision(number, model=f"m{number}", shadow=number == 1) for number in range(5)]
    for record in records:
        await store.history.note_decision(record)
    newest = await store.history.decisions(most=2)
    assert (newest.records, newest.next_before) == ((records[4], records[3]), "d3")
    rest = await store.history.decisions(most=3, before=newest.next_before)
    assert (rest.records, rest.next_before) == ((records[2], records[1], records[0]), None)
    last = await store.history.decisions(most=3, before="d0")
    assert (last.records, last.next_before) == ((), None)
    with pytest.raises(NoSuchDecision, match="'never was'"):
        await store.history.decisions(most=3, before="never was")


async def test_decisions_of_a_model_come_in_the_order_they_were_made(store: Store) -> None:
    records = [a_decision(number, model="qwen" if number % 2 else "b") for number in range(6)]
    for record in records:
        await store.history.note_decision(record)
    assert await store.history.decisions_of("qwen", most=9) == [records[1], records[3], records[5]]
    assert await store.history.decisions_of("qwen", most=2) == [records[3], records[5]]


async def test_a_decision_is_also_about_those_that_give_way_and_are_planned_for(
    store: Store,
) -> None:
    [queue] = a_decision().decisions
    record = a_decision(decisions=(queue.model_copy(update={"victims": ("a", "b")}),))
    await store.history.note_decision(record)
    for model in ("qwen", "a", "b"):
        assert await store.history.decisions_of(model, most=1) == [record]


async def test_noted_twice_is_kept_once(store: Store) -> None:
    for _ in range(2):
        await store.history.note_decision(a_decision())
    assert len(await store.history.decisions_of("qwen", most=9)) == 1


async def test_the_oldest_go_when_there_are_too_many(small: History) -> None:
    for number in range(5):
        await small.note_decision(a_decision(number))
    await small.note_requests([a_request(number) for number in range(5)])
    decisions = [await small.decision(f"d{number}") for number in range(5)]
    requests = [await small.request(f"r{number}") for number in range(5)]
    assert [record is not None for record in decisions] == [False, True, True, True, True]
    assert [record is not None for record in requests] == [False, False, True, True, True]


async def test_only_the_newest_decisions_of_a_model_are_kept(small: History) -> None:
    for number in range(4):
        await small.note_decision(a_decision(number))
    kept = await small.decisions_of("qwen", most=9)
    assert [record.decision_id for record in kept] == ["d2", "d3"]


async def test_a_request_is_noted_anew_when_it_ends(store: Store) -> None:
    await store.history.note_requests([a_request(), a_request(1)])
    ended = a_request(waited_s=3.25, ended="served")
    await store.history.note_requests([ended])
    assert await store.history.request("r0") == ended
    assert await store.history.request("r1") == a_request(1)


@pytest.mark.parametrize(
    "other",
    [{"model": "llama"}, {"gateway_id": "g2"}, {"since": START + timedelta(seconds=1)}],
)
async def test_another_wait_with_the_same_id_takes_nothing_from_the_first(
    store: Store, other: dict[str, Any]
) -> None:
    first = a_request()
    await store.history.note_requests([first, a_request(**other)])
    assert await store.history.request("r0") == first
    ended = a_request(waited_s=3.25, ended="served")
    await store.history.note_requests([ended, a_request(**other, ended="left")])
    assert await store.history.request("r0") == ended


async def test_nothing_is_kept_for_ever(redis: Server) -> None:
    async with opened(redis) as (store, raw):
        await store.history.note_decision(a_decision())
        await store.history.note_requests([a_request()])
        left = {name: await raw.ttl(name) async for name in raw.scan_iter("*")}
    of_requests = {keys.request("r0"), keys.REQUESTS}
    assert left.keys() == of_requests | {
        keys.decision("d0"),
        keys.DECISIONS,
        keys.decisions("qwen"),
    }
    for name, seconds in left.items():
        assert 0 < seconds <= (1 if name in of_requests else 7) * 86_400


async def test_a_decision_reads_by_eye(redis: Server) -> None:
    async with opened(redis) as (store, raw):
        await store.history.note_decision(a_decision())
        page = await raw.hgetall(keys.decision("d0"))
    assert (page["origin"], page["source"]) == ("orchestrator", "rules")
    assert page["made_at"] == "2026-01-02T03:04:05Z"


async def test_one_spoiled_by_hand_is_passed_over(redis: Server) -> None:
    async with opened(redis) as (store, raw):
        for number in range(2):
            await store.history.note_decision(a_decision(number))
        await raw.hset(keys.decision("d0"), "made_at", "yesterday")
        kept = await store.history.decisions_of("qwen", most=9)
    assert [record.decision_id for record in kept] == ["d1"]


async def test_requests_are_not_noted_while_redis_is_away() -> None:
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(DependencyUnavailable):
        await store.history.note_requests([a_request()])
    await store.close()
