"""One trace of a cold request across all services, as a collector receives it over OTLP/HTTP."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.test_spine import ENGINE, ENGINE_SETTINGS, ONE_ENGINE, drop
from tests.otlp import Received, Receiver, otlp_receiver
from tests.system import System, running, stub_python

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PROMPT = "a word that nobody else says"


@dataclass
class Run:
    """What came of two cold requests, the second of which makes the first model give way, and of
    a warm one that is part of its client's trace."""

    receiver: Receiver
    folder: Path

    def trace_of(self, model: str) -> list[Received]:
        """Of the first request for it."""
        roots = [s for s in self.receiver.spans if s.kind == "server" and s.name == f"chat {model}"]
        return self.receiver.of(min(roots, key=lambda span: span.start_ns).trace_id)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All services have ended by then, and sent what they had."""
    folder = tmp_path_factory.mktemp("traced")
    with otlp_receiver() as receiver, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        patch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=modelium-tests")
        with running(
            folder / "system",
            engine_python=stub_python(folder, *ENGINE),
            slot_bytes=ONE_ENGINE,
            settings={**ENGINE_SETTINGS, "logging": {"format": "json"}},
        ) as system:
            drop(system, "a", "b")
            system.chat("a", PROMPT)
            system.chat("b", PROMPT)
            _ask_within_a_trace(system, "b")
        yield Run(receiver, system.folder)


def _ask_within_a_trace(system: System, model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 4}
    headers = {"content-type": "application/json", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    url = f"{system.url}/v1/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=60).close()


def path_of(spans: list[Received], name: str, kind: str = "") -> list[str]:
    """From the root of the trace to the first span of this name, as `service: name`."""
    by_id = {span.span_id: span for span in spans}
    span = next(s for s in spans if s.name == name and kind in ("", s.kind))
    path = [span]
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        path.append(span)
    return [f"{s.service.removeprefix('modelium-')}: {s.name}" for s in reversed(path)]


LOADED = [
    "gateway: chat a",
    "gateway: wait a",
    "gateway: send model.requested",
    "orchestrator: decide load",
    "orchestrator: send command.{agent_id}.load",
    "runtime-agent: process command.{agent_id}.load",
    "runtime-agent: load",
]


def test_a_cold_request_is_one_trace_from_the_wait_to_the_first_token(run: Run) -> None:
    spans = run.trace_of("a")
    assert [span.name for span in spans if not span.parent_id] == ["chat a"]
    for phase in ("launch", "ready", "canary"):
        assert path_of(spans, phase) == [*LOADED, f"runtime-agent: {phase}"]
    announced = [*LOADED, "runtime-agent: send runtime.loaded"]
    heard = [*announced, "registry: process runtime.loaded"]
    assert path_of(spans, "process runtime.loaded") == heard
    assert path_of(spans, "chat a", "client") == ["gateway: chat a", "gateway: chat a"]


def test_a_trace_tells_times_in_their_order_and_nothing_of_what_was_asked(run: Run) -> None:
    spans = run.trace_of("a")
    by_name = {(span.name, span.kind): span for span in spans}
    wait, call = by_name["wait a", "internal"], by_name["chat a", "client"]
    phases = [by_name[name, "internal"] for name in ("load", "launch", "ready", "canary")]
    assert wait.start_ns < phases[0].start_ns <= phases[1].start_ns
    assert phases[1].end_ns <= phases[2].start_ns < phases[2].end_ns <= phases[3].start_ns
    assert wait.end_ns <= call.start_ns < call.events["first_token"] <= call.end_ns
    about = by_name["chat a", "server"].attributes | call.attributes
    assert about["gen_ai.operation.name"] == "chat"
    assert about["gen_ai.request.model"] == "a"
    assert about["gen_ai.provider.name"] == "vllm"
    assert about["gen_ai.usage.output_tokens"] == 4
    assert about["http.response.status_code"] == 200
    assert not [span for span in run.receiver.spans if PROMPT in str(span)]


def test_who_gives_way_does_so_in_the_trace_of_who_waits(run: Run) -> None:
    evicted = [
        "gateway: chat b",
        "gateway: wait b",
        "gateway: send model.requested",
        "orchestrator: decide evict",
        "orchestrator: send command.{agent_id}.unload",
        "runtime-agent: process command.{agent_id}.unload",
        "runtime-agent: unload",
    ]
    spans = run.trace_of("b")
    assert path_of(spans, "unload") == evicted
    stopped = next(span for span in spans if span.name == "unload")
    assert stopped.attributes["modelium.model"] == "a"


def test_a_clients_trace_is_gone_on_with(run: Run) -> None:
    spans = run.receiver.of(TRACE)
    assert [(span.kind, span.parent_id == PARENT) for span in spans] == [
        ("server", True),
        ("client", False),
    ]


def test_only_requests_begin_traces_and_headers_of_the_environment_are_sent(run: Run) -> None:
    roots = [span for span in run.receiver.spans if not span.parent_id]
    assert {(span.service, span.kind) for span in roots} == {("modelium-gateway", "server")}
    assert {headers["x-tenant"] for headers in run.receiver.headers} == {"modelium-tests"}


def test_log_lines_bear_the_trace_they_are_part_of(run: Run) -> None:
    traces = {run.trace_of("a")[0].trace_id, run.trace_of("b")[0].trace_id}
    lines = (run.folder / "orchestrator.log").read_text().splitlines()
    sent = [line for line in map(json.loads, lines) if line["event"] == "command.sent"]
    assert {line["trace_id"] for line in sent} == traces
