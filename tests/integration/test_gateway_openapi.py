"""The gateway answers as its OpenAPI document says, whatever is asked.

Schemathesis makes requests of every operation, right and wrong ones; the models they name are
partly those that there are. The gateway runs in a thread of its own: schemathesis is synchronous.
"""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.records import ModelState
from modelium.common.settings import Gateway
from modelium.common.testing import a_descriptor
from tests.integration.gateway_rig import Rig, running_gateway

SHORT_WAITS = {name: 0.1 for name in Gateway.model_fields if "queue_timeout" in name}
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
NAMES = ("qwen", "tensors", "qwen", "tensors", "qwen", "cold", "rejected", "what was made up")

# Streams that have no end: see test_gateway_live.py and test_gateway_events.py.
schema = schemathesis.openapi.from_path(DOCUMENT).exclude(path=["/live", "/events"])
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


async def engine(scope: Any, receive: Any, send: Any) -> None:
    """Answers everything, and looks at nothing but whether a stream is asked for."""
    body = b""
    while (event := await receive())["type"] == "http.request":
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    stream = b'"stream": true' in body
    kind = b"text/event-stream" if stream else b"application/json"
    headers = [(b"content-type", kind)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    answer = b"data: {}\n\ndata: [DONE]\n\n" if stream else b"{}"
    await send({"type": "http.response.body", "body": answer})


async def become_models(rig: Rig) -> None:
    url = rig.serve(engine)
    await rig.loaded(url)
    await rig.become(descriptor=a_descriptor(task=Task.UNKNOWN))
    tensors = a_descriptor(task=Task.TENSOR, runtime=RuntimeKind.RAY_SERVE)
    await rig.loaded(url, "tensors")
    await rig.become("tensors", descriptor=tensors)
    await rig.become("cold")
    await rig.become("rejected", state=ModelState.REJECTED, reason="no config.json")


@pytest.fixture(scope="module")
def gateway_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway with models, in a thread that ends with the module."""
    started, ended = threading.Event(), asyncio.Event()
    found: list[Any] = []
    uploads = {"enabled": True, "directory": tmp_path_factory.mktemp("models")}

    async def main() -> None:
        async with running_gateway(**SHORT_WAITS, uploads=uploads) as rig:
            await become_models(rig)
            found.extend((rig.url, asyncio.get_running_loop()))
            started.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert started.wait(30)
    url, loop = found
    yield url
    loop.call_soon_threadsafe(ended.set)
    thread.join(30)


def name_a_model(case: Any) -> None:
    """Have most of the cases name a model that there is; the others keep what was made up."""
    made_up = (case.path_parameters, case.query, case.headers, case.body)
    name = NAMES[crc32(repr(made_up).encode()) % len(NAMES)]
    if name == "what was made up":
        return
    if isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = name
    if "model" in (case.path_parameters or {}):
        case.path_parameters["model"] = name


def no_unexplained_failure(ctx: Any, response: Any, case: Any) -> None:
    """A 503 says what to wait for; nothing else here may be the server's fault."""
    if response.status_code != 503:
        not_a_server_error(ctx, response, case)


@schema.parametrize()
@settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_answers_as_documented(case: Any, gateway_url: str) -> None:
    name_a_model(case)
    case.call_and_validate(
        base_url=gateway_url,
        checks=[
            no_unexplained_failure,
            status_code_conformance,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
            allow_header_conformance,
        ],
        timeout=20,
    )
