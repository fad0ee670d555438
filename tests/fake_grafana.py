"""As much of a Grafana as an import of dashboards needs; the token is `secret`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    imported: list[dict[str, Any]]

    def do_GET(self) -> None:
        allowed = self.headers.get("authorization") == "Bearer secret"
        sources = [{"type": "loki", "uid": "l"}, {"type": "prometheus", "uid": "p"}]
        self._answer(200 if allowed and self.path == "/api/datasources" else 404, sources)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.imported.append(body)
        self._answer(200, {"importedUrl": "/d/x"})

    def _answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@contextmanager
def grafana() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Its URL, and what was imported into it."""
    imported: list[dict[str, Any]] = []
    handler = type("Handler", (_Handler,), {"imported": imported})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", imported
        finally:
            server.shutdown()
            thread.join()
