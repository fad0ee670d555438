"""When spans are made, what is passed on without them, and that nothing is loaded for nothing."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from modelium.common.envelope import TRACEPARENT, within_trace
from modelium.common.tracing import NO_TRACING, begin, obstacle, wanted

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),  # as compose passes on what is not set
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_SDK_DISABLED": "True", **ENDPOINT}, False),
        ({"OTEL_TRACES_EXPORTER": "none", **ENDPOINT}, False),
    ],
)
def test_traces_are_wanted(environment: Mapping[str, str], expected: bool) -> None:
    assert wanted(environment) is expected


def test_a_protocol_that_is_not_spoken_is_named_with_the_one_that_is() -> None:
    said = obstacle({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", **ENDPOINT})
    assert "grpc" in said
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in said
    assert not obstacle(ENDPOINT)


def test_without_tracing_nothing_that_makes_spans_is_imported() -> None:
    """FastAPI imports the API of OpenTelemetry, with which alone nothing is made."""
    code = (
        "import sys, modelium.gateway.__main__, modelium.common.nats_bus;"
        "from modelium.common import service, tracing; tracing.begin('gateway', 'g');"
        "service._store('redis://127.0.0.1:1/0');"
        "print([n for n in sys.modules if n.startswith('opentelemetry.')"
        " and n.split('.')[1] in ('sdk', 'exporter')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_service_without_tracing_passes_a_trace_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert begin("registry", "r") is NO_TRACING
    with NO_TRACING.span("load", parent=TRACE) as span:
        assert TRACEPARENT.get() == TRACE
        assert not span.headers()
    with within_trace(TRACE), NO_TRACING.span("load"):
        assert TRACEPARENT.get() == TRACE
    assert TRACEPARENT.get() is None
