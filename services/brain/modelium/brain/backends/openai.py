"""Asks a language model behind any OpenAI-compatible endpoint.

That may be an engine which Modelium serves itself: then it has to be always loaded, and the
endpoint is the gateway's.
"""

from typing import Any, Final

import aiohttp
from pydantic import ValidationError

from modelium.brain.backend import NoAnswer, Prompt
from modelium.common.frozen import Frozen

LARGEST_ANSWER_BYTES: Final = 64 << 10
"""Whoever sends more does not answer what was asked."""


class _Message(Frozen):
    content: str | None = None


class _Choice(Frozen):
    message: _Message
    finish_reason: str | None = None


class _Completion(Frozen):
    choices: tuple[_Choice, ...]


class OpenAIBackend:
    """See `backend.Backend`. `endpoint` is the base URL, with /v1."""

    def __init__(self, *, endpoint: str, model: str, api_key: str | None) -> None:
        self.name = f"openai:{model}"
        self._model = model
        self._url = endpoint.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, prompt: Prompt) -> str:
        try:
            status, body = await self._post(_request(self._model, prompt))
        except aiohttp.ClientError as error:
            raise NoAnswer(f"{self._url} cannot be reached ({type(error).__name__})") from error
        if status != 200:
            raise NoAnswer(f"{self._url} answered {status}: {_start(body)}")
        return _content(body)

    async def _post(self, request: dict[str, Any]) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        # Whoever asks has a deadline of its own, after which this is cancelled.
        forever = aiohttp.ClientTimeout(total=None)
        async with self._session.post(self._url, json=request, timeout=forever) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise NoAnswer(f"{self._url} answered more than {LARGEST_ANSWER_BYTES} bytes")
            return response.status, bytes(body)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _request(model: str, prompt: Prompt) -> dict[str, Any]:
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


def _content(body: bytes) -> str:
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        raise NoAnswer(f"it answered with no chat completion: {_start(body)}") from None
    if not completion.choices or not completion.choices[0].message.content:
        raise NoAnswer("it answered with nothing")
    if completion.choices[0].finish_reason not in ("stop", None):
        raise NoAnswer(f"its answer ended early ({completion.choices[0].finish_reason})")
    return completion.choices[0].message.content


def _start(body: bytes) -> str:
    return body[:120].decode(errors="replace")
