"""The client of the command against a gateway that says exactly what it is told to."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from modelium.cli.change import load, pin, retry, sleep
from modelium.cli.chat import Options, chat
from modelium.cli.gateway_client import GatewayClient, Piece, Progress, Refused
from modelium.cli.plan import show_plan
from modelium.common.errors import DependencyUnavailable, ExitCode
from modelium.common.load_settings import Settings


@contextmanager
def gateway(body: str, status: int = 200) -> Iterator[tuple[GatewayClient, list[str]]]:
    """A client, and the requests that reached its gateway."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            key = self.headers.get("authorization", "")
            body_sent = self.rfile.read(length).decode()
            asked.append(f"{key} {self.command} {self.path} {body_sent}".strip())
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield GatewayClient(f"http://127.0.0.1:{server.server_port}/"), asked
        finally:
            server.shutdown()
            thread.join()


def event(data: object) -> str:
    return f"data: {json.dumps(data)}\n\n"


def delta(text: str) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text}}]}


def test_a_stream_gives_progress_and_pieces_in_order() -> None:
    body = ": modelium state=loading eta_s=5\n\n" + event(delta("a")) + event(delta("b"))
    with gateway(body + event({"choices": []}) + "data: [DONE]\n\n") as (client, asked):
        parts = list(client.chat("m", [{"role": "user", "content": "x"}], max_tokens=2))
    assert parts == [Progress("state=loading eta_s=5"), Piece("a"), Piece("b")]
    assert json.loads(asked[0].partition("completions ")[2])["max_tokens"] == 2


def test_an_error_in_the_stream_is_raised_and_not_taken_for_the_end() -> None:
    error = {"error": {"message": "the engine died", "code": "backend_error"}}
    with gateway(event(delta("a")) + event(error)) as (client, _):
        parts = client.chat("m", [])
        assert next(parts) == Piece("a")
        with pytest.raises(Refused, match="the engine died"):
            next(parts)


def test_the_key_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway("{}") as (known, asked):
        monkeypatch.setenv("MODELIUM_URL", known.url)
        monkeypatch.setenv("MODELIUM_API_KEY", "mk-a-b")
        GatewayClient.of(Settings()).usage([("group_by", "key_id"), ("group_by", "day")])
        GatewayClient(known.url).usage([])
    assert asked == [
        "Bearer mk-a-b GET /admin/usage?group_by=key_id&group_by=day",
        "GET /admin/usage?",
    ]


def test_what_the_gateway_finds_wrong_with_the_words_is_wrong_usage() -> None:
    error = json.dumps({"error": {"code": "invalid_request", "message": "no subject of a fact"}})
    with gateway(error, 400) as (client, _), pytest.raises(Refused, match="no subject") as refusal:
        client.recent_events([("subject", "nonsense")])
    assert refusal.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(("status", "hint"), [(401, "MODELIUM_API_KEY"), (403, "scope")])
def test_not_being_allowed_has_an_exit_code_of_its_own(status: int, hint: str) -> None:
    error = json.dumps({"error": {"message": "needs the scope", "code": "x"}})
    with gateway(error, status) as (client, _), pytest.raises(Refused, match=hint) as refusal:
        client.status()
    assert refusal.value.exit_code == ExitCode.PERMISSION


def test_a_refusal_carries_the_gateways_words() -> None:
    error = json.dumps({"error": {"message": "no such model", "code": "model_not_found"}})
    with gateway(error, 404) as (client, _), pytest.raises(Refused) as refusal:
        list(client.chat("m", []))
    assert (refusal.value.status, refusal.value.code) == (404, "model_not_found")
    assert str(refusal.value) == "no such model"


class _Sample(GatewayClient):
    """A gateway that knows one model, and refuses what it is asked of any other."""

    def models(self) -> list[dict[str, Any]]:
        return [{"model": "Sample"}]

    def plan(self, name: str) -> Any:
        raise Refused(404, "model_not_found", "GET /v1/models lists those that do.")

    def chat(self, model: str, messages: Any, **options: Any) -> Iterator[Progress | Piece]:
        raise Refused(404, "model_not_found", "GET /v1/models lists those that do.")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("sampel", "There is no model sampel; did you mean 'Sample'? see `modelium models`."),
        ("gpt", "There is no model gpt; see `modelium models`."),
    ],
)
def test_a_mistyped_model_is_told_with_the_one_that_may_be_meant(model: str, says: str) -> None:
    client = _Sample("http://127.0.0.1")
    asked: list[Callable[[], None]] = [
        lambda: load(client, model, wait=False, as_json=False),
        lambda: show_plan(client, model, as_json=False),
        lambda: chat(client, model, "Hi", Options(), as_json=False),
    ]
    for ask in asked:
        with pytest.raises(Refused) as refusal:
            ask()
        assert str(refusal.value) == says


@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_not_json_is_told_as_another_programs(status: int) -> None:
    with (
        gateway("<html>", status) as (client, _),
        pytest.raises(DependencyUnavailable, match="no Modelium gateway"),
    ):
        client.status()


def test_a_rejected_model_is_not_asked_to_be_loaded() -> None:
    page = {"model": "half", "state": "rejected", "reason": "config.json is missing"}
    with (
        gateway(json.dumps({"models": [page]})) as (client, asked),
        pytest.raises(Refused, match=r"config\.json is missing"),
    ):
        load(client, "half", wait=False, as_json=False)
    assert all("/admin/" not in path for path in asked)


def test_a_model_is_found_by_its_name_and_none_is_none() -> None:
    page = {"model": "a", "state": "loaded"}
    with gateway(json.dumps({"models": [page]})) as (client, _):
        assert client.model("a") == page
        assert client.model("b") is None


def test_a_wish_is_sent_with_the_name_quoted() -> None:
    with gateway("{}", 202) as (client, asked):
        client.wish("a/b", "load")
        client.wish("c", "pin", method="PUT")
    assert asked == ["POST /admin/models/a%2Fb/load {}", "PUT /admin/models/c/pin {}"]


def test_pin_sleep_and_retry_are_asked_of_the_gateway() -> None:
    page = {"model": "a", "state": "error", "generation": 3}
    with gateway(json.dumps({"models": [page]})) as (client, asked):
        pin(client, "a", pinned=True, as_json=False)
        pin(client, "a", pinned=False, as_json=False)
        sleep(client, "a", wait=False, as_json=False)
        retry(client, "a", wait=False, as_json=False)
    assert [line for line in asked if "/admin/" in line] == [
        "PUT /admin/models/a/pin {}",
        "DELETE /admin/models/a/pin {}",
        "POST /admin/models/a/sleep {}",
        "POST /admin/models/a/retry {}",
    ]


def test_no_gateway_is_one_message_with_the_remedy() -> None:
    with gateway("{}") as (client, _):
        pass
    with pytest.raises(DependencyUnavailable) as away:
        client.status()
    assert away.value.exit_code is ExitCode.UNAVAILABLE
    assert client.url in str(away.value)
    assert "make up" in away.value.remedy


def test_modelium_url_wins_over_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELIUM_URL", raising=False)
    assert GatewayClient.of(Settings()).url == "http://127.0.0.1:8000"
    monkeypatch.setenv("MODELIUM_URL", "http://box:1/")
    assert GatewayClient.of(Settings()).url == "http://box:1"
