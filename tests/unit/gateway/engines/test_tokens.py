"""What answers say they took, in every dialect."""

import json

import pytest

from modelium.gateway.engines.tokens import (
    Tokens,
    asking_for_usage,
    estimated_prompt,
    read_usage,
    read_usage_at_the_end,
    says_aborted,
)

CHAT = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
OTHERS = {"input_tokens": 3, "output_tokens": 5}


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ({"choices": [{"index": 0}], "usage": CHAT}, Tokens(3, 5)),  # chat and completion
        ({"usage": {"prompt_tokens": 3, "total_tokens": 3}}, Tokens(3)),  # embeddings
        ({"type": "response.completed", "response": {"usage": OTHERS}}, Tokens(3, 5)),
        ({"type": "message_start", "message": {"usage": OTHERS}}, Tokens(3, 5)),
        ({"type": "message", "content": [], "usage": OTHERS}, Tokens(3, 5)),
        ({"choices": [{}], "usage": None}, Tokens()),  # every other event of some engines
        ({"object": "error", "message": "usage"}, Tokens()),
        ({"usage": {"prompt_tokens": "3"}}, Tokens()),  # no number: as if it were not said
        ({"usage": 3}, Tokens()),
        # Engines run what strangers made: less than nothing would be credit for the client.
        ({"usage": {"prompt_tokens": -7, "completion_tokens": 5}}, Tokens(None, 5)),
        ({"usage": {"input_tokens": 3, "output_tokens": -(2**40)}}, Tokens(3)),
        ({"usage": {"prompt_tokens": 2**31, "completion_tokens": 2**31 + 1}}, Tokens(2**31)),
        ({"usage": {"prompt_tokens": 10**40, "completion_tokens": 5}}, Tokens(None, 5)),
        ([], Tokens()),
    ],
)
def test_usage_is_read_from(answer: object, tokens: Tokens) -> None:
    found = Tokens()
    assert not read_usage(json.dumps(answer).encode(), found)
    assert found == tokens


def test_what_is_no_json_says_nothing() -> None:
    found = Tokens()
    assert not read_usage(b"\xff[DONE]", found)
    assert found == Tokens()


def test_an_event_of_nothing_but_usage_is_known() -> None:
    assert read_usage(json.dumps({"choices": [], "usage": CHAT}).encode(), Tokens())


def test_a_later_event_adds_what_it_says_and_keeps_the_rest() -> None:
    found = Tokens(prompt=3, completion=1)
    read_usage(b'{"type":"message_delta","usage":{"output_tokens":9}}', found)
    assert found == Tokens(3, 9)


def test_the_usage_of_a_large_answer_is_found_in_its_last_bytes() -> None:
    found = Tokens()
    read_usage_at_the_end(b'0.25]}],"usage":{"prompt_tokens": 12, "total_tokens":12}}', found)
    assert found == Tokens(prompt=12)


@pytest.mark.parametrize("said", ["-12", "999999999999", "1000000000000000"])
def test_what_cannot_be_is_not_taken_from_the_last_bytes_either(said: str) -> None:
    found = Tokens()
    tail = f'],"usage":{{"prompt_tokens": {said}, "completion_tokens": 4}}}}'
    read_usage_at_the_end(tail.encode(), found)
    assert found == Tokens(completion=4)


@pytest.mark.parametrize(
    ("body_bytes", "context_length", "tokens"),
    [(0, 4096, 0), (400, 4096, 100), (10_000_000, 4096, 4096), (400_000, 0, 100_000)],
)
def test_a_prompt_nobody_counted_is_a_quarter_of_its_bytes(
    body_bytes: int, context_length: int, tokens: int
) -> None:
    assert estimated_prompt(body_bytes, context_length) == tokens


USAGE = {"include_usage": True}


@pytest.mark.parametrize(
    ("said", "options"),
    [
        (None, USAGE),
        ("{}", USAGE),
        ("{ }", USAGE),
        ('{"include_usage": false}', USAGE),
        (
            '{"include_obfuscation": false , "x": 1 }',
            {"include_obfuscation": False, "x": 1, **USAGE},
        ),
        # In vLLM of no account without the other, which the client has not asked for.
        (
            '{"continuous_usage_stats": true}',
            {"continuous_usage_stats": False, **USAGE},
        ),
    ],
)
@pytest.mark.parametrize("rest", ['"x": 1e400', '"x": NaN'])  # the second is for engines only
@pytest.mark.parametrize("end", ["", " ", "\r\n"])
def test_usage_is_asked_for_without_touching_the_other_bytes(
    said: str | None, options: dict[str, object], rest: str, end: str
) -> None:
    own = "" if said is None else f', "stream_options": {said}'
    body = ('{ "model" :"qwen",' + rest + own + " }" + end).encode()
    asked = asking_for_usage(body, has_options=said is not None)
    assert asked is not None
    assert json.loads(asked)["stream_options"] == options
    assert asked.startswith(body.rstrip()[:-1])


def test_the_clients_own_options_keep_their_spelling() -> None:
    asked = asking_for_usage(
        b'{"stream_options": {"x": 1.00e0,\t"y":"\\u0041" }}', has_options=True
    )
    assert asked is not None
    assert b'{"x": 1.00e0,\t"y":"\\u0041","include_usage":true}' in asked


@pytest.mark.parametrize(
    ("answer", "aborted"),
    [
        ({"choices": [{"finish_reason": "stop"}, {"finish_reason": "abort"}]}, True),
        ({"type": "message", "stop_reason": "abort"}, True),
        ({"type": "message_delta", "delta": {"stop_reason": "abort"}}, True),
        ({"choices": [{"finish_reason": "stop", "stop_reason": "abort"}]}, False),  # a stop word
        ({"metadata": {"finish_reason": "abort"}}, False),  # a client's own, told back
        ({"content": [{"type": "tool_use", "input": {"stop_reason": "abort"}}]}, False),
        ({"delta": '"finish_reason":"abort"'}, False),
    ],
)
def test_only_the_engine_says_that_it_aborted(answer: object, aborted: bool) -> None:
    assert says_aborted(json.dumps(answer).encode()) is aborted
