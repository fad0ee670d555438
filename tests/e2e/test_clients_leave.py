"""Clients that do not wait any longer, with a whole Modelium around a stub engine."""

import asyncio
import urllib.error
from collections.abc import Iterator
from contextlib import suppress

import aiohttp
import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.settings import MIB
from tests.system import System, running, stub_python, wait_until

LOAD_S = 4
ONE_ENGINE = 700 * MIB
SETTINGS = {
    "vllm": {"overhead_bytes": 300 * MIB, "kv_cache_bytes": 100 * MIB},
    "gateway": {"queue_timeout_seconds": 2.0},
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two models, memory for one of their engines, which take their time."""
    folder = tmp_path_factory.mktemp("leave")
    options = ("--resident-mib", "400", "--startup-delay", str(LOAD_S), "--chunk-delay", "0.05")
    with running(
        folder / "system",
        engine_python=stub_python(folder, *options),
        slot_bytes=ONE_ENGINE,
        settings=SETTINGS,
    ) as started:
        for name in ("first", "second"):
            write_sample_model(started.models / name)
            wait_until(f"{name} is known", lambda name=name: started.model(name))
        yield started


def test_a_load_goes_on_when_its_client_was_told_to_come_back(system: System) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        system.chat("first", timeout_s=2)
    assert refusal.value.code == 503
    assert int(refusal.value.headers["retry-after"]) >= 1
    assert refusal.value.headers["x-should-retry"] == "true"
    system.wait_for_state("first", "loaded")
    assert system.model("first")["generation"] == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_no_model_is_loaded_for_a_client_that_has_gone(system: System, stream: bool) -> None:
    await asyncio.to_thread(make_loaded, system, "first")
    async with aiohttp.ClientSession(system.url) as http:
        busy = await http.post("/v1/completions", json=a_request("first", tokens=60))
        await busy.content.readline()
        await leave_the_queue(system, http, stream)
        assert (await busy.text()).endswith("data: [DONE]\n\n")
    # Now there would be room. An answer for the first model shows that all is quiet again.
    assert (await asyncio.to_thread(system.chat, "first"))["model"] == "first"
    second = await asyncio.to_thread(system.model, "second")
    assert (second["state"], second["generation"]) == ("unloaded", 0)


def a_request(model: str, *, stream: bool = True, tokens: int = 4) -> dict[str, object]:
    return {"model": model, "prompt": "x", "stream": stream, "max_tokens": tokens}


def make_loaded(system: System, name: str) -> None:
    with suppress(urllib.error.HTTPError):
        system.chat(name)
    system.wait_for_state(name, "loaded")


async def leave_the_queue(system: System, http: aiohttp.ClientSession, stream: bool) -> None:
    """Ask for the second model, and close the connection while the request waits."""
    post = asyncio.ensure_future(
        http.post("/v1/completions", json=a_request("second", stream=stream))
    )
    await asyncio.to_thread(wait_until, "it waits", lambda: waiting(system, "second") == 1)
    if stream:
        (await post).close()
    else:
        post.cancel()
    await asyncio.to_thread(wait_until, "it has left", lambda: waiting(system, "second") == 0, 1)


def waiting(system: System, name: str) -> int:
    """How many wait for the model."""
    return int(system.get("/status")["gateway"]["waiting"].get(name, 0))
