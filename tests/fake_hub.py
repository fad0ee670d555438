"""A small Hugging Face hub: the routes that a download needs, with ranges, gates and stalls."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_INFO = re.compile(r"/api/models/([^/]+/[^/?]+)(?:/revision/([^/?]+))?(?:\?.*)?")
_FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Hub:
    """What it has; `repositories` are files by their names."""

    repositories: dict[str, dict[str, bytes]]
    gated: frozenset[str] = frozenset()
    revisions: tuple[str, ...] = ("main", COMMIT)
    stalls: dict[str, int] = field(default_factory=dict)
    """Of which file so many bytes are sent, and then nothing more until `released`."""
    stalled: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)
    sizes: dict[str, int] = field(default_factory=dict)
    """What it says instead of a file's real size."""
    digests: dict[str, str] = field(default_factory=dict)
    """And instead of its SHA-256."""
    asked: list[str] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path} {self.headers.get('range', '')}".strip())
        if found := _INFO.fullmatch(self.path):
            self._info(found[1], found[2] or "main")
        elif found := _FILE.fullmatch(self.path):
            self._file(found[1], found[3])
        else:
            self._answer(404, b"{}", {})

    do_HEAD = do_GET

    def _info(self, name: str, revision: str) -> None:
        if self._refused(name):
            return
        if revision not in self.hub.revisions:
            self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        files = self.hub.repositories[name]
        siblings = [self._sibling(path, content) for path, content in files.items()]
        about = {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "tags": []}
        about |= {"private": False, "downloads": 0, "likes": 0}
        self._answer(200, json.dumps(about).encode(), {"Content-Type": "application/json"})

    def _sibling(self, path: str, content: bytes) -> dict[str, object]:
        size = self.hub.sizes.get(path, len(content))
        about: dict[str, object] = {"rfilename": path, "size": size, "blobId": "x"}
        if not path.endswith(".safetensors"):
            return about
        digest = self.hub.digests.get(path) or hashlib.sha256(content).hexdigest()
        return {**about, "lfs": {"size": size, "sha256": digest, "pointerSize": 130}}

    def _refused(self, name: str) -> bool:
        if name in self.hub.gated:
            self._answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
        elif name not in self.hub.repositories:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        else:
            return False
        return True

    def _file(self, name: str, path: str) -> None:
        content = self.hub.repositories[name][path]
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        headers |= {"Accept-Ranges": "bytes"}
        begin = re.match(r"bytes=(\d+)-", self.headers.get("range") or "")
        if begin is None:
            self._answer(200, content, headers, path)
            return
        start = int(begin[1])
        headers |= {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        self._answer(206, content[start:], headers, path)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], path: str = "") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if path in self.hub.stalls:
            self.wfile.write(body[: self.hub.stalls[path]])
            self.hub.stalled.set()
            self.hub.released.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub at `hub.url` while the block runs."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield hub
        finally:
            hub.released.set()
            server.shutdown()
            thread.join()
