"""Which instance is preferred for a prompt, and how much of the past is remembered."""

import json
from typing import Any

import pytest

from modelium.gateway.engines.affinity import BLOCK_BYTES, MAX_PARSED_BYTES, Affinity
from tests.unit.gateway.calls import a_call

BOTH = [1, 2]
LONG = "word " * BLOCK_BYTES


def chat(*texts: str, **body: Any) -> bytes:
    messages = [{"role": "user", "content": text} for text in texts]
    return json.dumps({"model": "qwen", "messages": messages, **body}).encode()


def sent(affinity: Affinity, body: bytes, generation: int, model: str = "qwen") -> None:
    _, blocks = affinity.preferred(a_call(model, body), BOTH)
    affinity.sent(blocks, generation)


def preferred(affinity: Affinity, body: bytes, model: str = "qwen") -> int | None:
    return affinity.preferred(a_call(model, body), BOTH)[0]


@pytest.mark.parametrize("generation", BOTH)
def test_the_next_turn_of_a_conversation_prefers_the_instance_of_the_last(generation: int) -> None:
    affinity = Affinity()
    sent(affinity, chat(LONG, temperature=0.5), generation)
    assert preferred(affinity, chat(LONG, "answer", "and now?", stream=True)) == generation


def test_a_new_prompt_prefers_none() -> None:
    affinity = Affinity()
    sent(affinity, chat(LONG), 1)
    assert preferred(affinity, chat("other " * BLOCK_BYTES)) is None
    assert preferred(affinity, chat("short")) is None


def test_a_beginning_shared_by_everybody_brings_nobody_together() -> None:
    affinity = Affinity()
    system = "rules " * 150
    sent(affinity, chat(system, "first " * BLOCK_BYTES), 1)
    assert preferred(affinity, chat(system, "second " * BLOCK_BYTES)) is None


def test_the_same_prompt_of_another_model_is_another() -> None:
    affinity = Affinity()
    sent(affinity, chat(LONG), 1)
    assert preferred(affinity, chat(LONG), "llama") is None


def test_an_instance_that_cannot_be_had_is_not_preferred() -> None:
    affinity = Affinity()
    sent(affinity, chat(LONG), 1)
    assert affinity.preferred(a_call(body=chat(LONG)), [2, 3])[0] is None


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    affinity = Affinity(max_blocks=20)
    for number in range(10):
        sent(affinity, chat(f"{number} " * 3 * BLOCK_BYTES), 1)
    assert len(affinity) == 20
    assert preferred(affinity, chat("0 " * 3 * BLOCK_BYTES)) is None
    assert preferred(affinity, chat("9 " * 3 * BLOCK_BYTES)) == 1


@pytest.mark.parametrize(
    "same",
    [
        {"prompt_cache_key": "k"},
        {"user": "k"},
        {"metadata": {"user_id": "k"}},
    ],
)
def test_a_session_of_the_body_has_one_home(same: dict[str, Any]) -> None:
    homes = {preferred(Affinity(), chat(f"{number}", **same)) for number in range(20)}
    assert len(homes) == 1
    assert homes <= {*BOTH}


def test_a_session_of_the_headers_wins_and_is_the_same_for_every_gateway() -> None:
    headers = [(b"x-session-id", b"one")]
    homes = {
        Affinity().preferred(a_call(body=chat("hi", user=f"{number}"), headers=headers), BOTH)[0]
        for number in range(20)
    }
    assert len(homes) == 1


@pytest.mark.parametrize(
    "body", [b"--boundary\r\n" + b"x" * 5000, b"[1]", b'{"messages": 5, "user": 7, "metadata": 1}']
)
def test_a_body_that_is_nothing_known_is_no_error(body: bytes) -> None:
    assert preferred(Affinity(), body) is None


def test_a_body_too_large_to_be_parsed_is_known_by_its_raw_beginning() -> None:
    affinity = Affinity()
    body = chat("x" * MAX_PARSED_BYTES)
    sent(affinity, body, 2)
    assert preferred(affinity, body + b" ") == 2
