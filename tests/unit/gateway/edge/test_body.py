"""What bodies hold, and what is too much."""

import pytest

from modelium.gateway.edge.api_error import ApiError
from modelium.gateway.edge.body import Body, ClientGone, HeldBytes
from modelium.gateway.edge.call import Event, Receive


def parts(*chunks: bytes, ends: bool = True) -> Receive:
    events: list[Event] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if ends:
        events[-1]["more_body"] = False
    else:
        events.append({"type": "http.disconnect"})

    async def receive() -> Event:
        return events.pop(0)

    return receive


async def test_bodies_are_held_together_until_each_request_has_ended() -> None:
    held = HeldBytes(20)
    with Body(10, held, "a") as first, Body(10, held, "a") as second:
        assert await first.read({"headers": []}, parts(b"1234", b"56")) == b"123456"
        assert await second.read({"headers": []}, parts(b"1234")) == b"1234"
        assert held.held == 10
        with Body(10, held, "a") as third, pytest.raises(ApiError) as refused:
            await third.read({"headers": []}, parts(b"1"))
        assert (refused.value.status, held.held) == (429, 10)
        with Body(10, held, "b") as others:
            assert await others.read({"headers": []}, parts(b"12345")) == b"12345"
    assert (held.held, held.of) == (0, {})


@pytest.mark.parametrize("chunks", [(b"12345",), (b"123", b"45")])
async def test_one_that_is_too_large_is_413_and_holds_nothing_after_it(
    chunks: tuple[bytes, ...],
) -> None:
    held = HeldBytes(100)
    with Body(4, held, "a") as body, pytest.raises(ApiError) as refused:
        await body.read({"headers": []}, parts(*chunks))
    assert (refused.value.status, held.held) == (413, 0)


async def test_one_that_says_that_it_will_be_too_large_is_not_read() -> None:
    with Body(4, HeldBytes(100), "a") as body, pytest.raises(ApiError) as refused:
        await body.read({"headers": [(b"content-length", b"5")]}, parts(b""))
    assert refused.value.status == 413


async def test_a_client_that_stops_sending_holds_nothing() -> None:
    held = HeldBytes(100)
    with Body(10, held, "a") as body, pytest.raises(ClientGone):
        await body.read({"headers": []}, parts(b"1234", ends=False))
    assert held.held == 0
