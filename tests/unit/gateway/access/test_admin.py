"""`/admin/keys` and `/admin/usage`, over HTTP without a socket."""

from datetime import date
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.requests import Request

from modelium.common.api_keys import Scope
from modelium.common.events import KeyChanged
from modelium.common.testing import FakeClock
from modelium.common.usage import Figures, Usage
from modelium.gateway.access.http import give_access
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.pages.admin import router
from tests.access_kit import World


async def _tell(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.status)


class Client:
    """Asks as who has `key`."""

    def __init__(self, world: World) -> None:
        self.world = world
        app = FastAPI()
        app.include_router(router)
        app.add_exception_handler(ApiError, _tell)
        give_access(app, world.access)
        self._transport = httpx2.ASGITransport(app=app)

    async def ask(self, key: str, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(transport=self._transport, base_url="http://test") as http:
            return await http.request(method, f"/admin{path}", headers=headers, **options)


@pytest.fixture
def client(clock: FakeClock) -> Client:
    return Client(World(clock, authentication="keys"))


async def admin(client: Client) -> str:
    return (await client.world.key(organization="ops", scopes=(Scope.ADMIN,))).text


async def test_a_key_made_over_http_counts_at_once_and_is_shown_once(client: Client) -> None:
    boss = await admin(client)
    wanted = {"organization": "acme", "name": "ci", "models": ["qwen*"], "requests_per_minute": 5}
    made = await client.ask(boss, "POST", "/keys", json=wanted)
    assert made.status_code == 201
    principal = client.world.ask(made.json()["key"])
    assert principal is not None
    assert (principal.organization, principal.models) == ("acme", ("qwen*",))
    listed = (await client.ask(boss, "GET", "/keys")).json()["keys"]
    assert [key["name"] for key in listed if key["organization"] == "acme"] == ["ci"]
    assert "digest" not in str(listed)
    assert made.json()["key"] not in str(listed)
    said = client.world.bus.of(KeyChanged)
    assert [message.key_id for message in said] == [made.json()["key_id"]]


async def test_a_revoked_key_ends_at_once(client: Client) -> None:
    boss = await admin(client)
    made = (await client.ask(boss, "POST", "/keys", json={})).json()
    assert made["organization"] == "ops"
    gone = await client.ask(boss, "DELETE", f"/keys/{made['key_id']}")
    assert gone.status_code == 200
    assert gone.json()["revoked_at"] is not None
    with pytest.raises(ApiError, match="was revoked"):
        client.world.ask(made["key"])
    again = await client.ask(boss, "DELETE", f"/keys/{made['key_id']}")
    assert again.json() == gone.json()
    assert (await client.ask(boss, "DELETE", "/keys/nobody")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/keys"), ("POST", "/keys"), ("DELETE", "/keys/x")]
)
async def test_keys_need_the_scope_admin(client: Client, method: str, path: str) -> None:
    reader = (await client.world.key()).text
    body = {"json": {}} if method == "POST" else {}
    assert (await client.ask(reader, method, path, **body)).status_code == 403
    assert (await client.ask("mk-no-key", method, path, **body)).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"organization": "a/b"},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"requests_per_minute": 0},
        {"unknown": 1},
    ],
)
async def test_a_wrong_wish_is_refused(client: Client, wrong: dict[str, Any]) -> None:
    boss = await admin(client)
    assert (await client.ask(boss, "POST", "/keys", json=wrong)).status_code == 422
    naive = {"expires_at": "2027-01-01T00:00:00"}
    assert (await client.ask(boss, "POST", "/keys", json=naive)).status_code == 400


async def use(client: Client) -> None:
    day, next_day = date(2025, 12, 30), date(2026, 1, 1)
    rows = [
        Usage("acme", day, "k1", "qwen", Figures(1, 10, 100, 0.5, 0.0)),
        Usage("acme", next_day, "k1", "qwen", Figures(1, 10, 100, 0.25, 3.0)),
        Usage("acme", next_day, "k2", "phi", Figures(1, 1, 1, 0.0, 0.0)),
        Usage("ops", next_day, "k3", "qwen", Figures(5, 0, 0, 0.0, 0.0)),
    ]
    await client.world.store.usage.add("g", 1, rows)


async def test_usage_is_told_by_organisation_key_and_model(client: Client) -> None:
    await use(client)
    report = (await client.ask(await admin(client), "GET", "/usage")).json()
    assert (report["first"], report["last"]) == ("2025-12-03", "2026-01-01")
    assert [
        (u["organization"], u["key_id"], u["model"], u["requests"]) for u in report["usage"]
    ] == [
        ("acme", "k1", "qwen", 2),
        ("acme", "k2", "phi", 1),
        ("ops", "k3", "qwen", 5),
    ]
    first = report["usage"][0]
    assert (first["prompt_tokens"], first["completion_tokens"]) == (20, 200)
    assert (first["device_seconds"], first["load_seconds"]) == (0.75, 3.0)
    assert report["total"]["requests"] == 8


async def test_usage_can_be_filtered_and_grouped(client: Client) -> None:
    await use(client)
    path = "/usage?organization=acme&model=qwen&from=2026-01-01&to=2026-01-31&group_by=day"
    report = (await client.ask(await admin(client), "GET", path)).json()
    assert [(u["day"], u["requests"]) for u in report["usage"]] == [("2026-01-01", 1)]
    assert report["usage"][0]["key_id"] is None
    path = "/usage?group_by=organization&group_by=day&key_id=k1"
    report = (await client.ask(await admin(client), "GET", path)).json()
    assert [u["day"] for u in report["usage"]] == ["2025-12-30", "2026-01-01"]


async def test_who_may_only_read_sees_its_own_organisation(client: Client) -> None:
    await use(client)
    reader = (await client.world.key()).text
    report = (await client.ask(reader, "GET", "/usage")).json()
    assert {u["organization"] for u in report["usage"]} == {"acme"}
    assert (await client.ask(reader, "GET", "/usage?organization=acme")).status_code == 200
    assert (await client.ask(reader, "GET", "/usage?organization=ops")).status_code == 403


@pytest.mark.parametrize(
    "query", ["from=2026-02-01&to=2026-01-01", "from=2020-01-01", "from=2026-02-01"]
)
async def test_days_that_make_no_sense_are_refused(client: Client, query: str) -> None:
    assert (await client.ask(await admin(client), "GET", f"/usage?{query}")).status_code == 400


async def test_while_the_store_is_away_usage_is_not_shown_as_nothing(client: Client) -> None:
    boss = await admin(client)
    client.world.store.answers = False
    assert (await client.ask(boss, "GET", "/usage")).status_code == 503
