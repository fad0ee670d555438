"""A Docker Engine that runs nothing: it keeps the books that the agent asks for, over real HTTP.

It may be stopped and started again, with its containers dead or, as with live-restore, alive.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

NETWORK_ADDRESS = "127.0.0.1"
Answer = tuple[int, Any]


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    """So that closing it waits for the answers under way: none may tell of what happens later."""


@dataclass
class FakeDocker:
    """The daemon's books and its manners."""

    images: set[str] = field(default_factory=lambda: {"engine:1"})
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: bytes = b"INFO fine\n"
    dies_on_start: bool = False
    """It ends right after it has started a container, and before it says so."""
    network: str = "engines"
    asked: int = 0
    _server: _Server | None = None
    _port: int = 0

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self, *, live_restore: bool = False) -> None:
        """The daemon ends; without live-restore its containers do too."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if not live_restore:
            for container in self.containers.values():
                self._end(container)

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        """What it says to one request; `path` is without the version and the query."""
        self.asked += 1
        for wanted, pattern, call in _ROUTES:
            found = re.fullmatch(pattern, path)
            if method == wanted and found:
                return call(self, body, *found.groups())
        return 404, {"message": f"no such page: {method} {path}"}

    def networks(self, _body: dict[str, Any]) -> Answer:
        return 200, [{"Id": "n1", "Name": self.network}]

    def listed(self, _body: dict[str, Any]) -> Answer:
        return 200, [{"Id": key} for key in self.containers]

    def create(self, body: dict[str, Any]) -> Answer:
        if body["Image"] not in self.images:
            return 404, {"message": f"No such image: {body['Image']}"}
        key = f"c{len(self.containers) + 1}"
        self.containers[key] = {
            "Id": key,
            "Name": f"/{body.get('Name', key)}",
            "Config": {"Labels": body["Labels"], "Tty": True},
            "HostConfig": {"LogConfig": {"Type": "json-file"}},
            "State": {"Status": "created", "ExitCode": 0, "OOMKilled": False},
            "NetworkSettings": {"Networks": {self.network: {"IPAddress": NETWORK_ADDRESS}}},
        }
        return 201, {"Id": key, "Warnings": []}

    def inspect(self, _body: dict[str, Any], key: str) -> Answer:
        named = [c for c in self.containers.values() if c["Name"] == f"/{key}"]
        found = self.containers.get(key) or next(iter(named), None)
        return (200, found) if found else (404, {"message": "gone"})

    def run(self, _body: dict[str, Any], key: str) -> Answer:
        self.containers[key]["State"]["Status"] = "running"
        return (0, None) if self.dies_on_start else (204, None)

    def end(self, _body: dict[str, Any], key: str) -> Answer:
        self._end(self.containers[key])
        return 204, None

    def wait(self, _body: dict[str, Any], key: str) -> Answer:
        return 200, {"StatusCode": self.containers[key]["State"]["ExitCode"]}

    def logs(self, _body: dict[str, Any], _key: str) -> Answer:
        return 200, self.log

    def stats(self, _body: dict[str, Any], _key: str) -> Answer:
        return 200, {"memory_stats": {"usage": 77}}

    def remove(self, _body: dict[str, Any], key: str) -> Answer:
        self.containers.pop(key, None)
        return 204, None

    @staticmethod
    def _end(container: dict[str, Any]) -> None:
        if container["State"]["Status"] == "running":
            container["State"] |= {"Status": "exited", "ExitCode": 137}


_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET", "/networks", FakeDocker.networks),
    ("GET", "/containers/json", FakeDocker.listed),
    ("POST", "/containers/create", FakeDocker.create),
    ("GET", r"/containers/([\w.-]+)/json", FakeDocker.inspect),
    ("POST", r"/containers/(\w+)/start", FakeDocker.run),
    ("POST", r"/containers/(\w+)/(?:kill|stop)", FakeDocker.end),
    ("POST", r"/containers/(\w+)/wait", FakeDocker.wait),
    ("GET", r"/containers/(\w+)/logs", FakeDocker.logs),
    ("GET", r"/containers/(\w+)/stats", FakeDocker.stats),
    ("DELETE", r"/containers/(\w+)", FakeDocker.remove),
)


def _handler(daemon: FakeDocker) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            asked = urlsplit(re.sub(r"^/v[\d.]+", "", self.path))
            path, names = asked.path, parse_qs(asked.query).get("name", [])
            body |= {"Name": names[0]} if names else {}
            status, value = daemon.answer(self.command, path, body)
            if not status:
                return
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            if status != 204:
                self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _answer

        def log_message(self, *_: object) -> None:
            """Silent."""

    return Handler


@contextmanager
def fake_docker() -> Iterator[FakeDocker]:
    """One that runs, until the block ends."""
    daemon = FakeDocker()
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()
