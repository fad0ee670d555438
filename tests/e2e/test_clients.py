"""Official clients and curl, as they are installed, against a model that takes long to load.

Through a real nginx with its defaults, to a whole Modelium with its defaults; the engine is a stub.
"""

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.settings import MIB
from tests.e2e.clients import CHAT, CLIENTS, TEXT, longest_silence_s
from tests.nginx import Nginx
from tests.system import System, running, stub_python, wait_until

LOAD_S = 100
COMMENT_S = 10
"""A stream says at least so often that it is alive."""
SOON_S = 1.0
"""Within which a client's end must have reached the engine."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("clients")
    engine = stub_python(folder, "--startup-delay", str(LOAD_S), "--chunk-delay", "0.02")
    memory = {"overhead_bytes": 300 * MIB, "kv_cache_bytes": 100 * MIB}
    with running(
        folder / "system",
        engine_python=engine,
        slot_bytes=700 * MIB,
        settings={"vllm": memory},
    ) as started:
        write_sample_model(started.models / "tiny")
        wait_until("tiny is known", lambda: started.model("tiny"))
        yield started


@pytest.fixture(scope="module")
def nginx(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    started = Nginx(tmp_path_factory.mktemp("nginx"), system.url)
    started.server.start()
    yield started
    started.server.stop()


@pytest.mark.timeout(300)
def test_every_client_gets_its_answer_from_a_model_that_loads_for_100_s(
    system: System, nginx: Nginx
) -> None:
    doors = (nginx.url, nginx.unbuffered_url)
    with ThreadPoolExecutor(2 * len(CLIENTS) + 2) as pool:
        silences = [pool.submit(longest_silence_s, door) for door in doors]
        asked = {
            (name, door): pool.submit(ask, door) for name, ask in CLIENTS.items() for door in doors
        }
        failed = {which: str(f.exception()) for which, f in asked.items() if f.exception()}
    assert not failed
    assert {which: f.result() for which, f in asked.items()} == dict.fromkeys(asked, TEXT)
    assert all(silence.result() <= COMMENT_S for silence in silences)
    assert set(nginx.statuses()) <= {200, 503}, "nginx has cut requests off"


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_gets_its_answer_from_a_loaded_model(
    system: System, nginx: Nginx, name: str
) -> None:
    assert CLIENTS[name](nginx.url) == TEXT
    assert CLIENTS[name](nginx.unbuffered_url) == TEXT


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_nginx_stops_the_engines_work(
    system: System, nginx: Nginx, stream: bool
) -> None:
    door = urlsplit(nginx.url)
    body = json.dumps({**CHAT, "max_tokens": 10_000, "stream": stream})
    client = HTTPConnection(door.hostname or "", door.port)
    client.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    wait_until("the engine works", lambda: in_work(system) == 1)
    client.close()
    wait_until("the engine has stopped", lambda: in_work(system) == 0, timeout_s=SOON_S)


def in_work(system: System) -> int:
    """The requests that the engine works on, as it says itself."""
    words = system.engines()[0].cmdline()
    port = words[words.index("--port") + 1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return int(next(x for x in lines if x.startswith("vllm:num_requests_running")).split()[-1])
