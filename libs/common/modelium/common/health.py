"""/healthz, /readyz and /metrics of a service, as a raw ASGI application.

`/healthz` says that the process is alive and asks nobody; `/readyz` asks every check and says 503
when one fails or the service is still starting or stopping; `/metrics` is for Prometheus.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from modelium.common.boundary import attempt

Probe = Callable[[], Awaitable[bool]]
Page = Callable[[], Awaitable[tuple[str, bytes]]]
"""Answers a content type and a body."""
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_JSON: Final = "application/json"


class Checks:
    """What /readyz asks, named so that its answer reads by itself, and what /metrics shows."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}
        self.started = False
        self.stopping = False
        self.metrics: Callable[[], bytes] = generate_latest
        self.pages: dict[str, Page] = {}
        """Further pages of a service on its own port, by path."""

    def add(self, name: str, probe: Probe) -> None:
        self._probes[name] = probe

    async def results(self) -> dict[str, bool]:
        """Every check's answer; one that raises has failed."""
        answers = {name: await _passes(probe) for name, probe in self._probes.items()}
        if not self.started:
            answers["started"] = False
        if self.stopping:
            answers["stopping"] = False
        return answers


async def _passes(probe: Probe) -> bool:
    answers: list[bool] = []

    async def ask() -> None:
        answers.append(await probe())

    return await attempt(ask()) is None and answers == [True]


def health_app(checks: Checks) -> AsgiApp:
    """The application; also mounted by the gateway, for `HEALTH_PATHS`, on its own port."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        status, content_type, body = await _answer(scope.get("path", ""), checks)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", content_type.encode()),
                    (b"content-length", str(len(body)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    return app


async def _answer(path: str, checks: Checks) -> tuple[int, str, bytes]:
    match path:
        case "/healthz":
            return 200, _JSON, _json({"status": "ok"})
        case "/readyz":
            return await _readiness(checks)
        case "/metrics":
            return 200, CONTENT_TYPE_LATEST, checks.metrics()
    if path in checks.pages:
        return 200, *await checks.pages[path]()
    paths = sorted(HEALTH_PATHS | checks.pages.keys())
    return 404, _JSON, _json({"error": "not found", "paths": paths})


async def _readiness(checks: Checks) -> tuple[int, str, bytes]:
    results = await checks.results()
    ready = all(results.values())
    body = {"status": "ready" if ready else "not ready", "checks": results}
    return (200 if ready else 503), _JSON, _json(body)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
