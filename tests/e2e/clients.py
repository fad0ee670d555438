"""The clients that people use, with the settings they come with: each asks once, and says the text.

All ask the model `tiny` for four tokens, of which the stub engine makes `TEXT`.
"""

import asyncio
import json
import subprocess
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from time import monotonic
from typing import Any, Final

from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

TEXT: Final = "t0 t1 t2 t3 "
MESSAGES: Final[Any] = [{"role": "user", "content": "hello"}]
CHAT: Final[Any] = {"model": "tiny", "messages": MESSAGES, "max_tokens": 4}
RESPONSE: Final[Any] = {"model": "tiny", "input": "hello", "max_output_tokens": 4}

Ask = Callable[[str], str]


def openai_plain(url: str) -> str:
    with OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        answer = client.chat.completions.create(**CHAT)
    assert answer.usage.completion_tokens == 4
    return str(answer.choices[0].message.content)


def openai_stream(url: str) -> str:
    with OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        chunks = list(client.chat.completions.create(stream=True, **CHAT))
    assert chunks[-1].choices[0].finish_reason == "length"
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def openai_async_plain(url: str) -> str:
    async def ask() -> str:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
            answer = await client.chat.completions.create(**CHAT)
        return str(answer.choices[0].message.content)

    return asyncio.run(ask())


def openai_async_stream(url: str) -> str:
    """With the usage, which comes in a chunk of its own."""

    async def ask() -> str:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
            stream = await client.chat.completions.create(**CHAT, **options)
            chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage.completion_tokens == 4
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    return asyncio.run(ask())


def responses_plain(url: str) -> str:
    with OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        answer = client.responses.create(**RESPONSE)
    assert answer.usage.output_tokens == 4
    return answer.output_text


def responses_stream(url: str) -> str:
    with OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        events = list(client.responses.create(stream=True, **RESPONSE))
    assert events[-1].type == "response.completed"
    return "".join(e.delta for e in events if e.type == "response.output_text.delta")


def anthropic_plain(url: str) -> str:
    with Anthropic(base_url=url, api_key="none") as client:
        answer = client.messages.create(**CHAT)
    assert answer.usage.output_tokens == 4
    return answer.content[0].text


def anthropic_stream(url: str) -> str:
    with (
        Anthropic(base_url=url, api_key="none") as client,
        client.messages.stream(**CHAT) as stream,
    ):
        text = "".join(stream.text_stream)
        assert stream.get_final_message().stop_reason == "max_tokens"
    return text


def anthropic_async_plain(url: str) -> str:
    async def ask() -> str:
        async with AsyncAnthropic(base_url=url, api_key="none") as client:
            answer = await client.messages.create(**CHAT)
        return answer.content[0].text

    return asyncio.run(ask())


def anthropic_async_stream(url: str) -> str:
    async def ask() -> str:
        async with (
            AsyncAnthropic(base_url=url, api_key="none") as client,
            client.messages.stream(**CHAT) as stream,
        ):
            return "".join([text async for text in stream.text_stream])

    return asyncio.run(ask())


def curl_plain(url: str) -> str:
    """It tries again only when told to; it heeds Retry-After."""
    answer = json.loads(_curl(url, "--retry", "5", body=CHAT))
    return str(answer["choices"][0]["message"]["content"])


def curl_stream(url: str) -> str:
    lines = _curl(url, "--no-buffer", body={**CHAT, "stream": True}).splitlines()
    events = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    return "".join(json.loads(event)["choices"][0]["delta"]["content"] for event in events)


def _curl(url: str, *options: str, body: Any) -> str:
    command = ["curl", "--silent", "--show-error", "--fail", *options, "--json", json.dumps(body)]
    command.append(f"{url}/v1/chat/completions")
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"curl ended with {ended.returncode}: {ended.stderr}"
    return ended.stdout


CLIENTS: Final[dict[str, Ask]] = {
    ask.__name__: ask
    for ask in (
        *(openai_plain, openai_stream, openai_async_plain, openai_async_stream),
        *(responses_plain, responses_stream),
        *(anthropic_plain, anthropic_stream, anthropic_async_plain, anthropic_async_stream),
        *(curl_plain, curl_stream),
    )
}


def longest_silence_s(url: str) -> float:
    """The longest time between two lines of a stream, and before its first, that nothing came."""
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        json.dumps({**CHAT, "stream": True}).encode(),
        {"content-type": "application/json"},
    )
    times = [monotonic()]
    with urllib.request.urlopen(request, timeout=60) as answer:
        times += [monotonic() for _ in answer]
    return max(after - before for before, after in pairwise(times))
