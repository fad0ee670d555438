"""Asks a language model behind any OpenAI-compatible endpoint.

That may be an engine which Modelium serves itself: then it has to be always loaded, and the
endpoint is the gateway's.
"""

from typing import Any

import aiohttp

from modelium.core.completions import LARGEST_ANSWER_BYTES, path, request_of, start_of, text_of
from modelium.core.prompts import NoAnswer, Prompt


class OpenAIBackend:
    """See `backend.Backend`. `endpoint` is the base URL, with /v1."""

    def __init__(self, *, endpoint: str, model: str, api_key: str | None) -> None:
        self.name = f"openai:{model}"
        self._model = model
        self._url = path(endpoint)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, prompt: Prompt) -> str:
        try:
            status, body = await self._post(request_of(self._model, prompt))
        except aiohttp.ClientError as error:
            raise NoAnswer(f"{self._url} cannot be reached ({type(error).__name__})") from error
        if status != 200:
            raise NoAnswer(f"{self._url} answered {status}: {start_of(body)}")
        return text_of(body)

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

    async def run(self) -> None:
        """Its endpoint is kept up by others."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
