"""What engines of every kind are asked in the same way, and how their answers are taken."""

import json
from collections.abc import Collection
from typing import Any, Final
from urllib.parse import urlsplit

from modelium.runtime_agent.engine_http import Answer, EngineHttp, NoAnswer
from modelium.runtime_agent.runtime import Health, NotServing, Work

HEALTH_TIMEOUT_S: Final = 5.0
OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "NO_COLOR": "1",
}
"""Environment of an engine: nothing is fetched, nothing is reported, logs are plain."""


class Questions:
    """Puts them to engines by their endpoints."""

    def __init__(self, http: EngineHttp) -> None:
        self._http = http

    async def health(self, endpoint: str, *, unavailable: Health) -> Health:
        """By its health check; `unavailable` is what a 503 means for this kind of engine."""
        try:
            answer = await self._http.ask("GET", f"{endpoint}/health", timeout_s=HEALTH_TIMEOUT_S)
        except NoAnswer as none:
            return Health.STARTING if none.refused else Health.SILENT
        if answer.status == 503:
            return unavailable
        return Health.SERVING if answer.status == 200 else Health.SILENT

    async def metrics(self, endpoint: str) -> str:
        """Its metrics as text; empty if it does not answer."""
        try:
            answer = await self._http.ask("GET", f"{endpoint}/metrics", timeout_s=HEALTH_TIMEOUT_S)
        except NoAnswer:
            return ""
        return answer.body.decode(errors="replace")

    async def json(
        self, method: str, url: str, timeout_s: float, body: dict[str, Any] | None = None
    ) -> Any:
        """The JSON it answers with 200; everything else is NotServing."""
        answer = await self.answer(method, url, timeout_s, body)
        ensure_status(url, answer)
        try:
            return json.loads(answer.body)
        except ValueError as wrong:
            raise NotServing(f"{urlsplit(url).path} was answered with no JSON") from wrong

    async def answer(
        self, method: str, url: str, timeout_s: float, body: dict[str, Any] | None = None
    ) -> Answer:
        """Whatever it answers; none at all is NotServing."""
        try:
            return await self._http.ask(method, url, timeout_s=timeout_s, body=body)
        except NoAnswer as none:
            raise NotServing(f"{urlsplit(url).path} failed: {none.reason}") from none


def ensure_status(url: str, answer: Answer, expected: Collection[int] = (200,)) -> None:
    """Raises NotServing, with what was said, for a status that is none of these."""
    if answer.status not in expected:
        said = answer.body[:300].decode(errors="replace")
        raise NotServing(f"{urlsplit(url).path} was answered {answer.status}: {said}")


def work_in(metrics: str, *, requests: Collection[str], progress: Collection[str]) -> Work:
    """What metrics say of an engine's requests, by the names of those that count them and of those
    that change whenever it gets on with them."""
    samples = [line.rpartition(" ") for line in metrics.splitlines()]
    named = [(name.partition("{")[0], value) for name, _, value in samples]
    running = sum(float(value) for name, value in named if name in requests)
    return Work(int(running), " ".join(value for name, value in named if name in progress))
