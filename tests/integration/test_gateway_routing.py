"""Several engines of one model behind one or two gateways."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from modelium.common.events import GatewayStats
from modelium.common.records import InstanceEndpoint, ModelState
from tests.integration.gateway_rig import Rig, running_gateway
from tests.stubs.engine_app import StubEngine


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


def endpoint(number: int, url: str) -> InstanceEndpoint:
    return InstanceEndpoint(instance_id=f"qwen.{number}", generation=number, url=url)


async def engines(rig: Rig, count: int, **behaviour: Any) -> list[tuple[StubEngine, str]]:
    """So many engines, all of them loaded."""
    made = [await rig.engine(**behaviour) for _ in range(count)]
    await route_to(rig, dict(enumerate((url for _, url in made), 1)))
    return made


async def route_to(rig: Rig, urls: dict[int, str], **changes: Any) -> None:
    endpoints = [endpoint(number, url) for number, url in urls.items()]
    await rig.become(
        **{
            "state": ModelState.LOADED,
            "generation": max(urls),
            "endpoints": tuple(endpoints),
            "load_s": 2.0,
            **changes,
        }
    )


async def test_requests_that_run_at_the_same_time_spread_over_all_engines(rig: Rig) -> None:
    made = await engines(rig, 3, chunk_delay_s=0.1)
    posts = [asyncio.ensure_future(rig.post(max_tokens=20)) for _ in range(15)]
    assert [(await post).status for post in posts] == [200] * 15
    counts = [len(stub.received) for stub, _ in made]
    assert sum(counts) == 15
    assert min(counts) >= 3


async def test_turns_of_a_conversation_go_to_one_engine(rig: Rig) -> None:
    made = await engines(rig, 3)
    for name in ("one", "two"):
        messages = [{"role": "user", "content": f"{name} " * 400}]
        for _ in range(6):
            await (await rig.post(messages=messages)).read()
            messages += [{"role": "assistant", "content": "t0"}, {"role": "user", "content": "on"}]
    homes = [Counter(name_of(r.body) for r in stub.received) for stub, _ in made]
    for name in ("one", "two"):
        assert sorted(home[name] for home in homes) == [0, 0, 6]


def name_of(body: bytes) -> str:
    return "one" if b"one one" in body else "two"


async def test_a_session_stays_with_its_engine_whatever_it_says(rig: Rig) -> None:
    made = await engines(rig, 2)
    for number in range(8):
        await (await rig.post(prompt_cache_key="mine", messages=[{"content": f"{number}"}])).read()
    assert sorted(len(stub.received) for stub, _ in made) == [0, 8]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_death_of_one_engine_is_not_noticed_while_another_serves(
    rig: Rig, stream: bool
) -> None:
    stub, url = await rig.engine()
    dead = "http://127.0.0.1:9"
    await route_to(rig, {1: dead, 2: url})
    for _ in range(10):
        response = await rig.post(stream=stream, max_tokens=2)
        assert response.status == 200
        assert "t1" in await response.text()
    assert len(stub.received) == 10


async def test_an_engine_that_is_being_stopped_is_hardly_asked(rig: Rig) -> None:
    stopping, stopping_url = await rig.engine(draining=True)
    _, url = await rig.engine()
    await route_to(rig, {1: stopping_url, 2: url})
    posts = [await rig.post(max_tokens=1) for _ in range(12)]
    assert [post.status for post in posts] == [200] * 12
    assert len(stopping.received) <= 3  # once a second


async def test_a_draining_engine_ends_what_it_has_and_gets_nothing_new(rig: Rig) -> None:
    (first, first_url), (second, second_url) = await engines(rig, 2, chunk_delay_s=0.02)
    streams = [await rig.post(stream=True, max_tokens=30) for _ in range(6)]
    await rig.until(lambda: first.running + second.running == 6)
    assert first_url != second_url

    await route_to(rig, {2: second_url})
    had = len(first.received)
    assert had >= 2
    await rig.until(lambda: rig.figures()[-1].routed_generations == (2,))
    assert rig.figures()[-1].in_flight_generations == {1: had, 2: 6 - had}

    later = [await rig.post(max_tokens=1) for _ in range(6)]
    assert [post.status for post in later] == [200] * 6
    for stream in streams:
        assert (await stream.text()).endswith("data: [DONE]\n\n")
    assert len(first.received) == had
    await rig.until(lambda: rig.figures()[-1].in_flight_generations == {})


async def test_one_engine_gets_no_more_at_a_time_than_it_may_and_all_are_answered() -> None:
    async with running_gateway(max_in_flight_per_instance=2) as rig:
        ((stub, _),) = await engines(rig, 1, chunk_delay_s=0.01)
        posts = [asyncio.ensure_future(rig.post(max_tokens=3)) for _ in range(9)]
        most = 0

        def is_done() -> bool:
            nonlocal most
            most = max(most, stub.running)
            return all(post.done() for post in posts)

        await rig.until(is_done)
        assert [post.result().status for post in posts] == [200] * 9
        assert most == 2


async def test_two_gateways_see_each_others_load_and_agree_on_sessions() -> None:
    async with running_gateway() as one, running_gateway() as two:
        made = [await one.engine(chunk_delay_s=0.02) for _ in range(2)]
        urls = dict(enumerate((url for _, url in made), 1))
        for rig in (one, two):
            await route_to(rig, urls)
        for number in range(6):
            session = f"session-{number}"
            before = [len(stub.received) for stub, _ in made]
            for rig in (one, two):
                await (await rig.post(prompt_cache_key=session, max_tokens=1)).read()
            after = [len(stub.received) for stub, _ in made]
            assert sorted(b - a for a, b in zip(before, after, strict=True)) == [0, 2]

        # All that `one` has in flight is at one engine: `two` sends nothing there.
        await route_to(one, {1: urls[1]})
        streams = [await one.post(stream=True, max_tokens=100_000) for _ in range(10)]
        await one.until(lambda: one.figures()[-1].in_flight_generations == {1: 10})
        said = one.around.bus.of(GatewayStats)[-1]
        await two.around.bus.publish(said.model_copy(update={"gateway_id": "gateway-one"}))
        before = len(made[0][0].received)
        for _ in range(8):
            await (await two.post(max_tokens=1)).read()
        assert len(made[0][0].received) == before
        for stream in streams:
            stream.close()
