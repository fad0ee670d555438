"""The gateway's HTTP API, as the command uses it; the standard library only."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode

from modelium.cli.event_stream import SILENCE_S, ServerEvent, server_events
from modelium.cli.programs import base_url, service_address
from modelium.common.errors import DependencyUnavailable, ExitCode, ModeliumError
from modelium.common.load_settings import Settings

STATUS_TIMEOUT_S = 10.0
APPLY_TIMEOUT_S = 40.0
"""Longer than the gateway waits for store and orchestrator."""
ANSWER_TIMEOUT_S = 900.0
"""Longer than any gateway holds a request by default; it sends comments all the while."""
AWAY = (OSError, HTTPException)


class Refused(ModeliumError):
    """The gateway answered with an error; `code` is its word for it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        if status in (401, 403):
            self.exit_code = ExitCode.PERMISSION
        elif (status, code) == (400, "invalid_request"):
            self.exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class Progress:
    """What a stream says while the model loads, in the gateway's words."""

    text: str


@dataclass(frozen=True)
class Piece:
    """A part of the answer."""

    text: str


@dataclass(frozen=True)
class Hello:
    """What a gateway says of itself; `date` is its answer's header."""

    version: str
    date: str


class GatewayClient:
    """One gateway, by its base URL."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url.rstrip("/")
        self.key = key
        self._headers = {"content-type": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"

    @classmethod
    def of(cls, settings: Settings) -> "GatewayClient":
        """The gateway of `MODELIUM_URL`, else the one of the settings; with `MODELIUM_API_KEY`."""
        named = os.environ.get("MODELIUM_URL")
        url = named or base_url(service_address(settings, "gateway"))
        return cls.at(url)

    @classmethod
    def at(cls, url: str) -> "GatewayClient":
        """The gateway there, asked with `MODELIUM_API_KEY`."""
        return cls(url, os.environ.get("MODELIUM_API_KEY", ""))

    def status(self) -> dict[str, Any]:
        """GET /status."""
        answer: dict[str, Any] = self._json("GET", "/status")
        return answer

    def models(self) -> list[dict[str, Any]]:
        """GET /models: `model`, `state`, `reason`, `task`, `size_bytes` and more of each."""
        answer: list[dict[str, Any]] = self._json("GET", "/models")["models"]
        return answer

    def model(self, name: str) -> dict[str, Any] | None:
        """One of them; None when there is no such model."""
        return next((page for page in self.models() if page["model"] == name), None)

    def wish(self, name: str, verb: str, *, method: str = "POST") -> Any:
        """Ask for a model to be loaded, unloaded, put to sleep …; returns at once."""
        return self._json(method, f"/admin/models/{quote(name, safe='')}/{verb}", {})

    def plan(self, name: str) -> Any:
        """What would happen if the model were asked for now."""
        return self._json("GET", f"/admin/plan/{quote(name, safe='')}")

    def explain(self, what: str, limit: int) -> Any:
        """What is kept of a model, a request or a decision."""
        return self._json("GET", f"/admin/explain/{quote(what, safe='')}?limit={limit}")

    def policies(self, *, timeout_s: float = STATUS_TIMEOUT_S) -> Any:
        """The policies in force, and where each is set."""
        return self._json("GET", "/admin/policies", timeout_s=timeout_s)

    def apply_policies(self, policies: dict[str, Any]) -> Any:
        """Go by these from now on; returns when the orchestrator does."""
        return self._json("PUT", "/admin/policies", policies, timeout_s=APPLY_TIMEOUT_S)

    def brain(self) -> Any:
        """Who leads, the rules or a language model, and how they did."""
        return self._json("GET", "/admin/brain")

    def usage(self, query: Sequence[tuple[str, str]]) -> Any:
        """GET /admin/usage."""
        return self._json("GET", f"/admin/usage?{urlencode(query)}")

    def chat(
        self, model: str, messages: list[dict[str, str]], **options: Any
    ) -> Iterator[Progress | Piece]:
        """A streamed chat completion, with what the gateway says while the model loads.

        Raises:
            Refused: the gateway or the engine answered with an error, at the start or later.
        """
        body = {"model": model, "messages": messages, "stream": True, **options}
        with self._open("POST", "/v1/chat/completions", body, ANSWER_TIMEOUT_S) as answer:
            for line in _lines(answer, self.url):
                if line.startswith(":"):
                    yield Progress(line.removeprefix(":").strip().removeprefix("modelium "))
                elif line.startswith("data:") and line != "data: [DONE]":
                    yield from _pieces(json.loads(line.removeprefix("data:")))

    def hello(self) -> Hello:
        """Which version answers, and its time."""
        with self._open("GET", "/", None, STATUS_TIMEOUT_S) as answer:
            return Hello(self._decoded(answer).get("version", ""), answer.headers.get("date", ""))

    def recent_events(self, query: Sequence[tuple[str, str]]) -> Any:
        """GET /events/recent: `events`, the newest first, and `next_before`."""
        return self._json("GET", f"/events/recent?{urlencode(query)}")

    def engine_log(self, model: str, lines: int) -> Any:
        """The last lines of its newest engine."""
        return self._json("GET", self.engine_log_path(model, lines), timeout_s=APPLY_TIMEOUT_S)

    @staticmethod
    def engine_log_path(model: str, lines: int | None, *, follow: bool = False) -> str:
        """The route of that; with `follow` it is a live one. No `lines`: those it deems right."""
        query = [("lines", lines)] if lines is not None else []
        more = urlencode([*query, ("follow", "true")] if follow else query)
        return f"/admin/models/{quote(model, safe='')}/log?{more}"

    def events(self, path: str, last_id: str = "") -> Iterator[ServerEvent]:
        """What a live route sends, until it ends; `last_id` is where an earlier reader stopped.

        Raises:
            DependencyUnavailable: nobody answers, or the connection breaks.
        """
        headers = {"accept": "text/event-stream"}
        if last_id:
            headers["last-event-id"] = last_id
        with self._open("GET", path, None, SILENCE_S, headers) as answer:
            yield from server_events(_lines(answer, self.url))

    def _json(
        self, method: str, path: str, body: Any = None, *, timeout_s: float = STATUS_TIMEOUT_S
    ) -> Any:
        with self._open(method, path, body, timeout_s) as answer:
            return self._decoded(answer)

    def _decoded(self, answer: Any) -> Any:
        content = answer.read()
        try:
            return json.loads(content) if content else None
        except ValueError as wrong:
            raise _stranger(self.url, "not JSON") from wrong

    def _open(
        self,
        method: str,
        path: str,
        body: Any,
        timeout_s: float,
        more: Mapping[str, str] | None = None,
    ) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | dict(more or {})
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            return urllib.request.urlopen(request, timeout=timeout_s)
        except urllib.error.HTTPError as refusal:
            raise _refused(refusal, self.url) from refusal
        except AWAY as wrong:
            raise _away(self.url, wrong) from wrong


def _away(url: str, wrong: Exception) -> DependencyUnavailable:
    reason = getattr(wrong, "reason", wrong)
    return DependencyUnavailable(
        f"No gateway answers at {url} ({reason})",
        "Start it with `make up` or `docker compose up -d`, or set MODELIUM_URL to where it is.",
    )


def _stranger(url: str, said: str) -> DependencyUnavailable:
    return DependencyUnavailable(
        f"What answers at {url} is no Modelium gateway: {said}",
        "See `modelium doctor`, or set MODELIUM_URL to where the gateway is.",
    )


def _refused(refusal: urllib.error.HTTPError, url: str) -> Refused | DependencyUnavailable:
    try:
        error = json.loads(refusal.read())["error"]
    except (ValueError, KeyError, TypeError):
        return _stranger(url, f"{refusal.code} {refusal.reason}")
    text = str(error.get("message", error))
    if refusal.code == 401:
        text += " This command sends the key that MODELIUM_API_KEY holds."
    return Refused(refusal.code, str(error.get("code", "")), text)


def _lines(answer: Any, url: str) -> Iterator[str]:
    """The lines of a stream; a connection that breaks is an error, not an end."""
    try:
        for line in answer:
            yield line.decode("utf-8", "replace").rstrip("\r\n")
    except AWAY as wrong:
        raise _away(url, wrong) from wrong


def _pieces(chunk: dict[str, Any]) -> Iterator[Piece]:
    if error := chunk.get("error"):
        raise Refused(int(error.get("status", 502)), str(error.get("code")), error["message"])
    for choice in chunk.get("choices", ()):
        if text := choice.get("delta", {}).get("content"):
            yield Piece(text)
