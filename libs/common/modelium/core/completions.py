"""How a question is put to an OpenAI-compatible endpoint, and what it answered. Pure."""

from typing import Any, Final

from pydantic import ValidationError

from modelium.common.frozen import Frozen
from modelium.core.prompts import NoAnswer, Prompt

LARGEST_ANSWER_BYTES: Final = 64 << 10
"""Whoever sends more does not answer what was asked."""


class _Message(Frozen):
    content: str | None = None


class _Choice(Frozen):
    message: _Message
    finish_reason: str | None = None


class _Completion(Frozen):
    choices: tuple[_Choice, ...]


def path(endpoint: str) -> str:
    """The URL to post to; `endpoint` is the base URL, with /v1."""
    return endpoint.rstrip("/") + "/chat/completions"


def request_of(model: str, prompt: Prompt) -> dict[str, Any]:
    """The request's body."""
    schema = {"name": prompt.version, "schema": prompt.schema, "strict": True}
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ],
        "temperature": 0,
        "max_tokens": prompt.most_tokens,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


def text_of(body: bytes) -> str:
    """What it said.

    Raises:
        NoAnswer: nothing, or not all of it.
    """
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        raise NoAnswer(f"it answered with no chat completion: {start_of(body)}") from None
    if not completion.choices or not completion.choices[0].message.content:
        raise NoAnswer("it answered with nothing")
    if completion.choices[0].finish_reason not in ("stop", None):
        raise NoAnswer(f"its answer ended early ({completion.choices[0].finish_reason})")
    return completion.choices[0].message.content


def start_of(body: bytes) -> str:
    """Enough of it to know what it is."""
    return body[:120].decode(errors="replace")
