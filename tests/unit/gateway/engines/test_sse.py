"""Events of a stream, however they are cut into pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelium.gateway.engines.sse import MAX_HELD_BYTES, StreamTap
from modelium.gateway.engines.tokens import Tokens

USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}'
PIECES = st.lists(
    st.sampled_from(
        [
            b'data: {"a": 1}',
            b'data: {"finish_reason": "stop"}',
            b": comment",
            b"event: x\ndata: 1",
            USAGE,
            b"data: [DONE]",
        ]
    )
)
ENDS = st.sampled_from([b"\n\n", b"\r\n\r\n"])


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    bounds = sorted({0, len(stream), *(n % (len(stream) + 1) for n in at)})
    return [stream[a:b] for a, b in pairwise(bounds)]


@given(events=PIECES, end=ENDS, at=st.lists(st.integers(0, 1000)))
def test_every_byte_passes_in_order(events: list[bytes], end: bytes, at: list[int]) -> None:
    stream = b"".join(event + end for event in events) + b"data: begun"
    tap = StreamTap(Tokens(), hide_usage=False)
    assert b"".join(map(tap.feed, cut(stream, at))) + tap.rest() == stream
    assert tap.tokens == (Tokens(3, 5) if USAGE in events else Tokens())


@given(events=PIECES, end=ENDS, at=st.lists(st.integers(0, 1000)))
def test_hidden_usage_is_all_that_does_not_pass(
    events: list[bytes], end: bytes, at: list[int]
) -> None:
    stream = b"".join(event + end for event in events)
    tap = StreamTap(Tokens(), hide_usage=True)
    passed = b"".join(map(tap.feed, cut(stream, at))) + tap.rest()
    assert passed == b"".join(event + end for event in events if event != USAGE)


def test_an_event_that_is_too_large_to_hold_passes_in_parts() -> None:
    tap = StreamTap(Tokens(), hide_usage=True)
    part = b"data: " + b"x" * MAX_HELD_BYTES
    assert tap.feed(part) == part
    assert tap.feed(b"yz\n\ndata: 1") == b"yz\n\n"
    assert tap.rest() == b"data: 1"


def test_an_abort_is_not_passed_and_nothing_after_it() -> None:
    tap = StreamTap(Tokens(), hide_usage=False)
    stream = b'data: 1\n\ndata: {"choices":[{"finish_reason": "abort"}]}\n\ndata: [DONE]\n\n'
    assert tap.feed(stream) == b"data: 1\n\n"
    assert tap.aborted


def test_events_are_counted() -> None:
    tap = StreamTap(Tokens(), hide_usage=False)
    tap.feed(b"data: 1\n\ndata: 2\n\nda")
    tap.feed(b"ta: 3\n\n")
    assert tap.events == 3


def test_a_hidden_fingerprint_stands_where_it_would_without_usage() -> None:
    tap = StreamTap(Tokens(), hide_usage=True)
    usage = USAGE[:-1] + b',"system_fingerprint":"vllm-1"}\n\n'
    done = b"data: [DONE]\n\n"
    assert tap.feed(b'data: {"choices":[{"finish_reason":"stop"}]}\n\n') == b""
    stamped = b'data: {"choices":[{"finish_reason":"stop"}],"system_fingerprint":"vllm-1"}\n\n'
    assert tap.feed(usage) == stamped
    assert tap.feed(done) == done


def test_what_finishes_passes_also_if_no_usage_follows() -> None:
    end = b'data: {"choices":[{"finish_reason": "length"}]}\n\n'
    done = b"data: [DONE]\n\n"
    tap = StreamTap(Tokens(), hide_usage=True)
    assert (tap.feed(end), tap.feed(done)) == (b"", end + done)
    cut_short = StreamTap(Tokens(), hide_usage=True)
    assert (cut_short.feed(end), cut_short.rest()) == (b"", end)


FINAL = b'data: {"choices":[{"index":0,"finish_reason":"stop"}]}\n\n'
OTHER = b'data: {"choices":[{"index":1,"delta":{"content":"x"},"finish_reason":null}]}\n\n'


def test_with_several_choices_the_end_of_one_holds_up_no_other() -> None:
    tap = StreamTap(Tokens(), hide_usage=True)
    assert tap.feed(FINAL) == b""
    assert tap.feed(OTHER) == FINAL + OTHER
    assert tap.feed(OTHER) == OTHER
    assert tap.feed(FINAL) == b""
    assert tap.feed(USAGE + b"\n\n") == FINAL


def test_a_fingerprint_that_is_known_is_given_at_once() -> None:
    known = b'"system_fingerprint":"vllm-1"'
    tap = StreamTap(Tokens(), hide_usage=True, fingerprint=known)
    assert tap.feed(FINAL) == FINAL[:-3] + b"," + known + b"}\n\n"
    usage = USAGE[:-1] + b',"system_fingerprint":"vllm-2"}\n\n'
    assert tap.feed(usage) == b""
    assert tap.fingerprint == b'"system_fingerprint":"vllm-2"'


def test_an_engine_without_a_fingerprint_holds_nothing_up_either() -> None:
    tap = StreamTap(Tokens(), hide_usage=True)
    tap.feed(FINAL + USAGE + b"\n\n")
    assert tap.fingerprint == b""
    next_one = StreamTap(Tokens(), hide_usage=True, fingerprint=tap.fingerprint)
    assert next_one.feed(FINAL) == FINAL


def test_an_event_that_did_not_end_is_known_until_it_has() -> None:
    tap = StreamTap(Tokens(), hide_usage=False)
    tap.feed(b"data: " + b"x" * MAX_HELD_BYTES)
    assert tap.in_parts
    tap.feed(b"end\n\nda")
    assert not tap.in_parts


def test_what_a_client_wrote_about_aborting_passes() -> None:
    echo = b'data: {"response":{"metadata":{"finish_reason":"abort"}},"choices":[]}\n\n'
    tap = StreamTap(Tokens(), hide_usage=False)
    assert tap.feed(echo) == echo
    assert not tap.aborted


OPENAI = frozenset({b"[DONE]"})
ANTHROPIC = frozenset({b"message_stop", b"error"})


@pytest.mark.parametrize(
    ("stream", "last", "ended"),
    [
        (b"data: 1\n\ndata: [DONE]\n\n", OPENAI, True),
        (b"data: 1\r\n\r\ndata: [DONE]\r\n\r\n: bye\r\n\r\n", OPENAI, True),
        (b"data:[DONE]", OPENAI, True),
        (b'data: {"choices":[{"delta":{"content":"say [DONE]"}}]}\n\n', OPENAI, False),
        (b"data: [DONE]\n\ndata: 1\n\n", OPENAI, False),
        (b": [DONE]\n\n", OPENAI, False),
        (b"", OPENAI, False),
        (b"data: 1\n\n", frozenset(), True),
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', ANTHROPIC, True),
        (b'data: {"type": "message_stop"}\n\n', ANTHROPIC, True),
        (b'event: error\ndata: {"type":"error"}\n\n', ANTHROPIC, True),
        (
            b'data: {"type":"x","delta":{"text":"message_stop"}}\n\n',
            ANTHROPIC,
            False,
        ),
        (b'data: {"type":"x","delta":{"type":"error"}}\n\n', ANTHROPIC, False),
    ],
)
def test_a_stream_has_ended_when_its_last_event_says_so(
    stream: bytes, last: frozenset[bytes], ended: bool
) -> None:
    """Not what a client or a model has written."""
    tap = StreamTap(Tokens(), hide_usage=False)
    tap.feed(stream)
    tap.rest()
    assert tap.ended(last) is ended


def test_an_event_that_was_passed_in_parts_and_never_ended_is_no_end() -> None:
    tap = StreamTap(Tokens(), hide_usage=False)
    tap.feed(b"data: [DONE]" + b" " * MAX_HELD_BYTES)
    tap.rest()
    assert not tap.ended(OPENAI)


def test_nothing_is_written_into_a_part_of_an_event() -> None:
    tap = StreamTap(Tokens(), hide_usage=True, fingerprint=b'"system_fingerprint":"fp"')
    logprobs = b'{"token":"x","logprob":0},' * (MAX_HELD_BYTES // 20)
    event = b'data: {"choices":[{"finish_reason":"stop","logprobs":[' + logprobs + b"]}]}\n\n"
    assert tap.feed(event[:-10]) == event[:-10]


@pytest.mark.parametrize("colon", [b":", b": ", b" : ", b"\t:\n"])
def test_an_abort_is_seen_however_it_is_spaced(colon: bytes) -> None:
    tap = StreamTap(Tokens(), hide_usage=False)
    tap.feed(b'data: {"choices":[{"finish_reason"' + colon.replace(b"\n", b" ") + b'"abort"}]}\n\n')
    assert tap.aborted
