"""What the health surface answers."""

import json
from collections.abc import MutableMapping
from typing import Any

from modelium.common.health import Checks, health_app


async def get(checks: Checks, path: str) -> tuple[int, dict[str, Any]]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await health_app(checks)({"type": "http", "path": path}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def broken() -> bool:
    raise ConnectionError("gone")


def started() -> Checks:
    checks = Checks()
    checks.started = True
    return checks


async def test_it_is_ready_when_every_check_passes() -> None:
    checks = started()
    checks.add("nats", yes)
    assert await get(checks, "/readyz") == (200, {"status": "ready", "checks": {"nats": True}})


async def test_it_is_not_ready_when_a_check_fails_or_raises() -> None:
    checks = started()
    for name, probe in {"nats": yes, "redis": no, "docker": broken}.items():
        checks.add(name, probe)
    status, body = await get(checks, "/readyz")
    assert status == 503
    assert body["checks"] == {"nats": True, "redis": False, "docker": False}


async def test_it_is_not_ready_before_everything_is_built() -> None:
    checks = Checks()
    checks.add("nats", yes)
    status, body = await get(checks, "/readyz")
    assert (status, body["checks"]) == (503, {"nats": True, "started": False})


async def test_it_is_not_ready_while_stopping_but_alive() -> None:
    checks = started()
    checks.add("nats", yes)
    checks.stopping = True
    assert (await get(checks, "/readyz"))[0] == 503
    assert await get(checks, "/healthz") == (200, {"status": "ok"})


async def test_being_alive_depends_on_nothing() -> None:
    checks = started()
    checks.add("redis", no)
    assert (await get(checks, "/healthz"))[0] == 200
