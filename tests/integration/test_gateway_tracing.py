"""What a gateway tells of requests in traces, and what an engine gets of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from modelium.common.tracing_otel import OtelTracing
from tests.integration.gateway_rig import Rig, running_gateway
from tests.otlp import Received, Receiver, otlp_receiver

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@asynccontextmanager
async def traced(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> AsyncIterator[Rig]:
    """A gateway whose spans have all come when it has ended."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    tracing = OtelTracing("gateway", "gateway-test")
    async with running_gateway(tracing=tracing) as rig:
        yield rig
    await tracing.close()


def one(receiver: Receiver, kind: str) -> Received:
    [span] = [span for span in receiver.spans if span.kind == kind]
    return span


async def test_an_engine_goes_on_with_the_trace_of_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    with otlp_receiver() as receiver:
        async with traced(monkeypatch, receiver) as rig:
            stub, url = await rig.engine()
            await rig.loaded(url)
            await rig.chat(client)
        sent = {k.decode(): v.decode() for k, v in stub.received[-1].headers}
    call = one(receiver, "client")
    assert sent["traceparent"] == f"00-{TRACE}-{call.span_id}-01"
    assert sent["tracestate"] == "vendor=1"
    assert [name for name, _ in stub.received[-1].headers].count(b"traceparent") == 1
    assert one(receiver, "server").parent_id == PARENT


async def test_what_a_client_does_not_sample_leaves_no_span_and_the_engine_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with otlp_receiver() as receiver:
        async with traced(monkeypatch, receiver) as rig:
            stub, url = await rig.engine()
            await rig.loaded(url)
            await rig.chat({"traceparent": f"00-{TRACE}-{PARENT}-00"})
        sent = {k.decode(): v.decode() for k, v in stub.received[-1].headers}
    assert sent["traceparent"].startswith(f"00-{TRACE}-")
    assert sent["traceparent"].endswith("-00")
    assert not receiver.spans


async def test_a_stream_tells_its_first_token_and_its_usage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with otlp_receiver() as receiver:
        async with traced(monkeypatch, receiver) as rig:
            _, url = await rig.engine(first_byte_delay_s=0.05)
            await rig.loaded(url)
            await rig.chat(None, stream=True)
    call = one(receiver, "client")
    assert call.start_ns < call.events["first_token"] <= call.end_ns
    assert call.attributes["gen_ai.request.stream"] is True
    assert call.attributes["gen_ai.usage.output_tokens"] == 5


async def test_a_refusal_is_told_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with otlp_receiver() as receiver:
        async with traced(monkeypatch, receiver) as rig:
            assert (await rig.chat(None, model="nobody"))[0] == 404
    refused = one(receiver, "server")
    assert refused.attributes["error.type"] == "model_not_found"
    assert refused.attributes["http.response.status_code"] == 404
    assert not refused.failed  # the client's own fault is none of the gateway's


async def test_an_engine_that_dies_twice_shows_both_attempts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with otlp_receiver() as receiver:
        async with traced(monkeypatch, receiver) as rig:
            _, url = await rig.engine(draining=True)
            await rig.loaded(url)
            status, _ = await rig.chat({"prefer": "wait=1"})
    assert status >= 500
    calls = [span for span in receiver.spans if span.kind == "client"]
    assert calls
    assert all(span.failed for span in calls)
    assert {span.attributes["error.type"] for span in calls} == {"engine_gone"}
    assert one(receiver, "server").failed
