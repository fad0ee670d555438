"""What all tests can ask for: real servers, shared by a session or for one test to kill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelium.common.testing import FakeClock
from tests.servers import Server, nats_server, redis_server


def _running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A NATS server with JetStream for the whole session; tests must not stop it."""
    yield from _running(nats_server(tmp_path_factory.mktemp("nats")))


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Redis server for the whole session; tests must not stop it."""
    yield from _running(redis_server(tmp_path_factory.mktemp("redis")))


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[Server]:
    """A NATS server that this test may kill, restart and wipe."""
    yield from _running(nats_server(tmp_path / "nats"))


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Server]:
    """A Redis server that this test may kill, restart and wipe."""
    yield from _running(redis_server(tmp_path / "redis"))


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when the test says so."""
    return FakeClock()
