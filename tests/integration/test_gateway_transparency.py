"""Two hundred varied requests and answers: through the gateway every byte is what it is without.

Each exchange is made twice, straight with the engine and through the gateway, and both ends are
compared: what the engine got, and what the client got. All that may differ is written down here.
"""

import json
import re
from collections.abc import AsyncIterator, Callable

import pytest

from modelium.common.descriptor import Task
from modelium.common.testing import a_descriptor
from tests.integration.exchanges import (
    FAMILIES,
    MIB,
    USAGE,
    Exchange,
    exchange,
    multipart_exchange,
)
from tests.integration.gateway_rig import Rig, running_gateway
from tests.integration.raw_http import Headers, Message, ask, raw_engine

PER_FAMILY = 25
TASKS = {
    "qwen": Task.CHAT,
    "embed": Task.EMBEDDING,
    # These may answer any route.
    "rank": Task.UNKNOWN,
    "sound": Task.UNKNOWN,
}

# They describe one connection and not the message, or the two ends of one.
OF_A_CONNECTION = {b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"host"}
NOT_COMPARED = OF_A_CONNECTION | {b"date", b"server", b"x-request-id"}
INSERTED = re.compile(rb',"stream_options":(\{[^{}]*"include_usage":true\})(?=\}\s*$)')


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


def of_family(name: str) -> Callable[[int], Exchange]:
    first = 1_000 * sorted(FAMILIES).index(name)
    return lambda seed: exchange(FAMILIES[name], first + seed)


MAKERS = [*(of_family(name) for name in FAMILIES), multipart_exchange]


@pytest.mark.parametrize(
    "make",
    [
        *(pytest.param(of_family(name), id=name) for name in FAMILIES),
        pytest.param(multipart_exchange, id="audio"),
    ],
)
async def test_the_gateway_changes_no_byte(rig: Rig, make: Callable[[int], Exchange]) -> None:
    for seed in range(PER_FAMILY):
        await compare(rig, make(seed), seed)


def test_the_exchanges_are_as_varied_as_they_should_be() -> None:
    all_of_them = [make(seed) for make in MAKERS for seed in range(PER_FAMILY)]
    replies = [told.answer(Message(body=bytearray(told.body))) for told in all_of_them]
    assert {reply.status for reply in replies} == {200, 400, 404, 422, 429, 500}
    assert sum(told.streams for told in all_of_them) > 30
    assert sum(len(told.body) > MIB for told in all_of_them) > 5
    assert sum(USAGE.encode() in b"".join(reply.pieces) for reply in replies) > 5
    assert any(b"\r\n\r\ndata:" in b"".join(reply.pieces) for reply in replies)
    assert sum(len(reply.pieces) > 10 for reply in replies) > 30
    assert sum(b"Transfer-Encoding" in told.request for told in all_of_them) > 30


async def compare(rig: Rig, told: Exchange, seed: int) -> None:
    async with raw_engine(told.answer) as engine:
        for model, task in TASKS.items():
            await rig.become(model, descriptor=a_descriptor(task=task))
            await rig.loaded(engine.url, model, generation=seed + 1)
        direct = await ask(engine.url, told.request)
        through = await ask(rig.url, told.request)
        straight, passed = engine.received
    assert passed.target == straight.target
    assert comparable(passed.headers) == comparable(straight.headers)
    check_request_body(bytes(passed.body), told)
    assert (through.complete, direct.complete) == (True, True)
    assert through.status == direct.status
    assert answer_headers(through, told) == answer_headers(direct, told)
    assert through.body == direct.body


def check_request_body(got: bytes, told: Exchange) -> None:
    """The client's bytes, or those with the one member that asks the engine to count tokens."""
    if got == told.body:
        return
    assert told.streams or b'"stream"' in told.body
    [inserted] = INSERTED.finditer(got)
    assert got[: inserted.start()] + got[inserted.end() :] == told.body
    said = json.loads(told.body).get("stream_options") or {}
    assert json.loads(inserted[1]) == {**said, "include_usage": True}
    assert not said.get("include_usage")


def comparable(headers: Headers) -> Headers:
    """In an order that does not depend on how different names are mixed."""
    kept = [(name, value) for name, value in headers if name not in NOT_COMPARED]
    return sorted(kept, key=lambda header: header[0])


def answer_headers(answer: Message, told: Exchange) -> Headers:
    """A stream's may say to proxies that it is one, and not how long it is."""
    headers = comparable(answer.headers)
    if not told.streams:
        sizes = [header for header in answer.headers if header[0] == b"content-length"]
        return headers + sizes
    return [header for header in headers if header[0] != b"x-accel-buffering"]
