"""The smallest request that shows whether an engine of vLLM computes as it should."""

import io
import wave
from typing import Any

from modelium.common.descriptor import POOLING_TASKS, Task
from modelium.runtime_agent.launcher import EngineRecord

CANARY_TOKENS = 8
"""Of an engine that can sleep; for others one shows that it computes."""


def canary(record: EngineRecord) -> tuple[str, dict[str, Any]]:
    """Path and body of the smallest request that shows whether the model computes as it should.

    A model that generates is asked for the tokens it holds most likely; for a few of them, and
    always as many, where its answers will be compared.
    """
    if record.task is Task.EMBEDDING:
        return "/v1/embeddings", {"model": record.model, "input": "1"}
    if record.task is Task.RERANK:
        return "/rerank", {"model": record.model, "query": "1", "documents": ["1"]}
    if record.task in POOLING_TASKS:
        path = "/classify" if record.task is Task.CLASSIFY else "/pooling"
        return path, {"model": record.model, "input": "1"}
    if record.task is Task.TRANSCRIPTION:
        return "/v1/audio/transcriptions", {"model": record.model, "file": _silence()}
    count = CANARY_TOKENS if record.can_sleep else 1
    body = {"model": record.model, "prompt": "1", "max_tokens": count, "temperature": 0}
    return "/v1/completions", body | {"seed": 0, "ignore_eos": True, "return_token_ids": True}


def _silence() -> bytes:
    """A second of it; some models want no less."""
    written = io.BytesIO()
    with wave.open(written, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(2 * 16_000))
    return written.getvalue()


def tokens_of(answer: dict[str, Any]) -> str:
    """The generated tokens, as text where their numbers are not told; empty if there are none."""
    choices = answer.get("choices") or [{}]
    ids = choices[0].get("token_ids")
    return " ".join(map(str, ids)) if ids else str(choices[0].get("text") or "")
