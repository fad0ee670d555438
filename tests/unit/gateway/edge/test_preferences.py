"""What a client says about waiting."""

import math

import pytest

from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.preferences import (
    NO_PREFERENCES,
    Preferences,
    applied,
    read_preferences,
)


@pytest.mark.parametrize(
    ("headers", "wait_s", "respond_async"),
    [
        ([b"wait=10"], 10, False),
        ([b"respond-async"], None, True),
        ([b"respond-async, wait=10"], 10, True),
        ([b"Respond-Async,WAIT = 10"], 10, True),
        ([b"respond-async", b"wait=10"], 10, True),
        ([b'wait="10"; foo="a, wait=3"'], 10, False),
        ([b'foo="x, wait=1", wait=10'], 10, False),
        ([b"wait=10, wait=20"], 10, False),  # the first counts
        ([b"wait=0"], 0, False),
        # Passed over, as RFC 7240 says of what is not understood:
        ([b"wait=soon, respond-async"], None, True),
        ([b"wait=-1"], None, False),
        ([b"wait=1.5"], None, False),
        ([b"wait=99999999999"], None, False),
        ([b"wait"], None, False),
        ([b",, ;=, wait=3"], 3, False),
        ([b'wait="1'], 1, False),
        ([b"\xff=\xfe"], None, False),
        ([b"handling=lenient"], None, False),
        ([b""], None, False),
    ],
)
def test_prefer(headers: list[bytes], wait_s: float | None, respond_async: bool) -> None:
    read = read_preferences([(b"prefer", h) for h in headers], None, stream=False)
    assert (read.wait_s, read.respond_async) == (wait_s, respond_async)


@pytest.mark.parametrize(
    ("headers", "stream", "deadline_s"),
    [
        ({b"x-request-timeout": b"30"}, False, 30),
        ({b"x-request-timeout": b"30"}, True, 30),
        # The official clients look at the time only until the first byte.
        ({b"x-stainless-read-timeout": b"600.0"}, False, 600),
        ({b"x-stainless-timeout": b"600", b"x-stainless-read-timeout": b"60"}, False, 60),
        ({b"x-stainless-read-timeout": b"600"}, True, None),
        ({b"x-stainless-timeout": b"NOT_GIVEN"}, False, None),
        ({b"x-request-timeout": b"0"}, False, None),
        ({b"x-request-timeout": b"-5"}, False, None),
        ({b"x-request-timeout": b"inf"}, False, None),
        ({b"x-request-timeout": b"nan"}, False, None),
    ],
)
def test_deadlines(headers: dict[bytes, bytes], stream: bool, deadline_s: float | None) -> None:
    assert read_preferences(headers.items(), None, stream=stream).deadline_s == deadline_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (2.5, 2.5),
        (-1, math.inf),
        ("0", 0),
        ("-1", math.inf),
        ("30", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (" 300ms ", 0.3),
        ("-1m", math.inf),
        ("+10s", 10),
    ],
)
def test_keep_alive(value: float | str, seconds: float) -> None:
    assert read_preferences([], value, stream=False).keep_alive_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "m", "5 m", "5d", "--1", "1h30", "five", "1" * 10_000, math.nan]
)
def test_a_keep_alive_that_says_nothing_is_400(value: float | str) -> None:
    with pytest.raises(ApiError) as refused:
        read_preferences([], value, stream=False)
    assert (refused.value.status, refused.value.param) == (400, "keep_alive")
    assert len(refused.value.message) < 300


def test_without_any_there_is_nothing_to_remember() -> None:
    assert read_preferences([], None, stream=False) is NO_PREFERENCES


def test_what_was_honoured_is_told() -> None:
    waited = Preferences(wait_s=10.0, respond_async=True)
    name = b"preference-applied"
    assert applied(waited, answered_async=True) == [(name, b"respond-async, wait=10")]
    assert applied(waited, answered_async=False) == [(name, b"wait=10")]
    assert applied(NO_PREFERENCES, answered_async=False) == []
