"""The backend that speaks to an OpenAI-compatible endpoint, against a small server."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from modelium.brain.backends.openai import OpenAIBackend
from modelium.core.completions import LARGEST_ANSWER_BYTES
from modelium.core.prompts import NoAnswer, Prompt

PROMPT = Prompt(version="test-1", system="s", user="u", schema={"type": "object"}, most_tokens=9)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def backend(answer: Answer) -> AsyncIterator[OpenAIBackend]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    asked = OpenAIBackend(endpoint=f"http://127.0.0.1:{port}/v1/", model="qwen", api_key="k")
    try:
        yield asked
    finally:
        await asked.close()
        await runner.cleanup()


def completion(content: str | None, finish_reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": finish_reason}]}


def says(body: Any, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status)

    return answer


async def test_it_asks_for_json_of_the_form_with_its_key() -> None:
    seen: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.headers["authorization"], await request.json()))
        return web.json_response(completion('{"m0":"keep"}'))

    async with backend(answer) as asked:
        assert await asked.ask(PROMPT) == '{"m0":"keep"}'
    ((key, body),) = seen
    assert key == "Bearer k"
    assert body["model"] == "qwen"
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert (body["temperature"], body["max_tokens"]) == (0, 9)
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "test-1", "schema": {"type": "object"}, "strict": True},
    }


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says("nonsense"), "no chat completion"),
        (says({"choices": []}), "nothing"),
        (says(completion(None)), "nothing"),
        (says(completion("{", "length")), "ended early"),
        (says({"error": {"message": "no such model"}}, 404), "404.*no such model"),
        (says("x" * (LARGEST_ANSWER_BYTES + 1)), "more than"),
    ],
)
async def test_any_other_answer_is_none(answer: Answer, why: str) -> None:
    async with backend(answer) as asked:
        with pytest.raises(NoAnswer, match=why):
            await asked.ask(PROMPT)


async def test_an_endpoint_that_is_away_is_no_answer() -> None:
    asked = OpenAIBackend(endpoint="http://127.0.0.1:9/v1", model="qwen", api_key=None)
    with pytest.raises(NoAnswer, match="cannot be reached"):
        await asked.ask(PROMPT)
    await asked.close()
