"""Speaks HTTP to engines; an answer is bytes with a status, no answer is an error of ours."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from modelium.common.errors import ModeliumError


class NoAnswer(ModeliumError):
    """The engine did not answer; `refused` when nobody listens at its port."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


@dataclass(frozen=True)
class Answer:
    """What an engine answered."""

    status: int
    body: bytes


class EngineHttp:
    """One session for all engines of an agent; close it at the end."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(trust_env=False)

    async def close(self) -> None:
        await self._session.close()

    async def ask(
        self,
        method: str,
        url: str,
        *,
        timeout_s: float,
        body: dict[str, Any] | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        """Send one request and read its whole answer.

        `body` goes as JSON; with bytes in it as a form, in which those are a file.

        Raises:
            NoAnswer: within `timeout_s` there was none, or one of more than `most_bytes`.
        """
        try:
            async with self._session.request(
                method, url, **_content(body), timeout=aiohttp.ClientTimeout(total=timeout_s)
            ) as response:
                return Answer(response.status, await _whole(response, most_bytes))
        except aiohttp.ClientConnectorError as refused:
            raise NoAnswer("nobody listens at its port", refused=True) from refused
        except TimeoutError as late:
            raise NoAnswer(f"no answer within {timeout_s:.0f} s") from late
        except aiohttp.ClientError as broken:
            raise NoAnswer(f"the connection broke ({type(broken).__name__})") from broken


async def _whole(response: aiohttp.ClientResponse, most_bytes: int | None) -> bytes:
    if most_bytes is None:
        return await response.read()
    parts, left = [], most_bytes
    async for part in response.content.iter_any():
        left -= len(part)
        if left < 0:
            raise NoAnswer(f"an answer of more than {most_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


def _content(body: dict[str, Any] | None) -> dict[str, Any]:
    if body is None or not any(isinstance(value, bytes) for value in body.values()):
        return {"json": body}
    form = aiohttp.FormData()
    for name, value in body.items():
        form.add_field(name, value, filename=name if isinstance(value, bytes) else None)
    return {"data": form}
