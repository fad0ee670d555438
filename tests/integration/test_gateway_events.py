"""The bus over HTTP: from any place on, filtered, for who may see what."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from modelium.common.api_keys import Scope
from modelium.common.events import DecisionMade, ModelRequested, ModelUnloadRequested
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from tests.integration.gateway_rig import Rig, running_gateway
from tests.integration.sse import streamed


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


async def publish(rig: Rig, *models: str) -> None:
    for model in models:
        await rig.around.bus.publish(ModelRequested(model=model, requested_by="a test"))


async def decided(rig: Rig, *decisions: Decision) -> None:
    """By the brain's rules."""
    await rig.around.bus.publish(
        DecisionMade(
            origin="brain",
            source=DecisionSource.RULES,
            inputs_digest="0",
            decisions=decisions,
        )
    )


async def recent(rig: Rig, headers: Any = None, **query: Any) -> tuple[int, Any]:
    url = f"{rig.url}/events/recent"
    async with rig.http.get(url, params=query, headers=headers) as response:
        return response.status, await response.json()


async def test_facts_come_as_they_are_said(rig: Rig) -> None:
    await publish(rig, "before")
    async with streamed(rig.http, f"{rig.url}/events") as stream:
        await publish(rig, "qwen")
        told = await stream.next()
    assert told.event == told.data["subject"] == "model.requested"
    assert told.id == str(told.data["seq"])
    assert (told.data["source"], told.data["model"]) == ("test", "qwen")
    assert told.data["payload"]["requested_by"] == "a test"
    assert stream.retry_ms == 2000


async def test_after_a_break_nothing_is_missed_or_repeated(rig: Rig) -> None:
    async with streamed(rig.http, f"{rig.url}/events") as stream:
        await publish(rig, "first")
        await stream.next()
        last_id = stream.last_id
    await publish(rig, "a", "b")
    for names in (("a", "b", "c"), ("d",)):
        again = {"last-event-id": last_id}
        async with streamed(rig.http, f"{rig.url}/events?after=0", headers=again) as stream:
            if names[0] == "a":
                await publish(rig, "c")
            told = await stream.some(len(names))
            last_id = stream.last_id
        assert [event.data["model"] for event in told] == [*names]
        await publish(rig, "d")


async def test_a_stream_without_facts_has_a_place_to_come_again_with(rig: Rig) -> None:
    async with streamed(rig.http, f"{rig.url}/events") as stream:
        block = await stream.block()
        assert block == {"id": str(await rig.around.bus.events.position()), "retry": "2000"}


async def test_only_what_is_asked_for_is_told(rig: Rig) -> None:
    query = "after=0&subject=model.unload_requested&subject=runtime.*&model=qwen"
    await publish(rig, "qwen")
    for model in ("other", "qwen"):
        await rig.around.bus.publish(ModelUnloadRequested(model=model))
    async with streamed(rig.http, f"{rig.url}/events?{query}") as stream:
        told = await stream.next()
    assert (told.event, told.data["model"]) == ("model.unload_requested", "qwen")
    _, page = await recent(rig, subject="model.*", model="qwen")
    assert [event["subject"] for event in page["events"]] == [
        "model.unload_requested",
        "model.requested",
    ]


async def test_a_place_that_is_not_there_yet_is_refused(rig: Rig) -> None:
    """Everything was told from the beginning."""
    for after in (10_000, 10**30):
        async with rig.http.get(f"{rig.url}/events", params={"after": after}) as response:
            error = (await response.json())["error"]
            assert (response.status, error["param"]) == (400, "after")
            assert "the newest has the seq" in error["message"]


async def test_decisions_to_change_nothing_are_told_only_to_who_asks_for_all(rig: Rig) -> None:
    load = Decision(model="qwen", action=DecidedAction.LOAD, reason="")
    for decisions in ((), (load,), ()):
        await decided(rig, *decisions)
    _, page = await recent(rig, subject="decision.made")
    [told] = page["events"]
    assert told["payload"]["decisions"][0]["model"] == "qwen"
    _, everything = await recent(rig, subject="decision.made", all="true")
    assert len(everything["events"]) == 3


@pytest.mark.parametrize("subject", ["gateway.stats", "model..x", "mo del.x", "", "model.>.x"])
async def test_a_subject_that_no_fact_has_is_refused(rig: Rig, subject: str) -> None:
    async with rig.http.get(f"{rig.url}/events", params={"subject": subject}) as response:
        body = await response.json()
        assert (response.status, body["error"]["param"]) == (400, "subject")
        assert "model.*" in body["error"]["message"]


async def test_pages_lead_back_to_the_beginning(rig: Rig) -> None:
    await publish(rig, *(f"m{number}" for number in range(5)))
    models, before = [], {}
    while True:
        _, page = await recent(rig, limit=2, subject="model.requested", **before)
        models += [event["model"] for event in page["events"]]
        if page["next_before"] is None:
            break
        before = {"before": page["next_before"]}
    assert models == ["m4", "m3", "m2", "m1", "m0"]


async def test_it_is_said_that_the_bus_is_away(rig: Rig) -> None:
    rig.around.bus.events.answers = False
    assert (await recent(rig))[0] == 503
    async with rig.http.get(f"{rig.url}/events") as response:
        assert response.status == 503


async def test_a_key_sees_facts_about_its_models_without_places() -> None:
    async with running_gateway(authentication="keys") as rig:
        decisions = tuple(
            Decision(model=m, action=DecidedAction.LOAD, reason="", victims=("qwen-2", "secret"))
            for m in ("qwen", "secret")
        )
        await decided(rig, *decisions)
        await publish(rig, "secret", "qwen")
        await rig.become(endpoint="http://engine:1", reason="has a place")
        own = await rig.key(models=("qw*",))
        admin = await rig.key(scopes=(Scope.ADMIN,))
        _, page = await recent(rig, own)
        assert "secret" not in str(page)
        assert "engine:1" not in str(page)
        assert "has a place" in str(page)
        [made] = [e for e in page["events"] if e["subject"] == "decision.made"]
        [decision] = made["payload"]["decisions"]
        assert (decision["model"], decision["victims"]) == ("qwen", ["qwen-2"])
        _, everything = await recent(rig, admin)
        assert "engine:1" in str(everything)
        assert len(everything["events"]) == len(page["events"]) + 1


async def test_one_who_does_not_read_is_cut_and_can_go_on(rig: Rig) -> None:
    """What it has not read is kept by the bus, not by the gateway."""
    url = urlsplit(rig.serve(rig.gateway.app, write_timeout_s=0.3))
    request = b"GET /events?after=0 HTTP/1.1\r\nhost: localhost\r\n\r\n"
    large = "x" * 100_000
    for number in range(100):
        await rig.around.bus.publish(ModelRequested(model=f"m{number}", requested_by=large))
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, (url.hostname, url.port))
        await loop.sock_sendall(slow, request)
        await rig.until(lambda: rig.gateway.live.readers.count == 1)
        await rig.until(lambda: rig.gateway.live.readers.count == 0)
        got = b""
        try:
            while part := await loop.sock_recv(slow, 1 << 20):
                got += part
        except ConnectionResetError:
            pass
    whole = [block for block in got.split(b"\n\n") if b'"requested_by"' in block][:-1]
    seen = [int(line[4:]) for b in whole for line in b.split(b"\n") if line.startswith(b"id: ")]
    assert 0 < len(seen) < 100
    again = {"last-event-id": str(seen[-1])}
    async with streamed(rig.http, f"{rig.url}/events", headers=again) as stream:
        rest = [int(told.id) for told in await stream.some(100 - len(seen))]
    assert seen + rest == list(range(seen[0], seen[0] + 100))
