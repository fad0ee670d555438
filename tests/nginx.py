"""A real nginx in front of a gateway, as many sites run one: with its own defaults.

Above all with its 60 seconds: an answer that sends nothing for so long is cut off with a 504.
"""

import os
import shutil
from collections import Counter
from pathlib import Path

from tests.servers import Server
from tests.system import free_port

NGINX = """
daemon off;
# One process that stays whoever the test is.
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""
"""All that makes it one of a test; `servers` is what a site would write."""
SERVERS = """
proxy_http_version 1.1;
proxy_set_header Connection "";
server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass {upstream}; }}
}}
server {{
    listen 127.0.0.1:{unbuffered_port};
    location / {{ proxy_pass {upstream}; proxy_buffering off; }}
}}
"""


class Nginx:
    """One nginx with two doors to the same gateway."""

    def __init__(self, folder: Path, upstream: str) -> None:
        unbuffered_port = free_port()
        self.unbuffered_url = f"http://127.0.0.1:{unbuffered_port}"
        """Here it buffers no answer, whatever the answer says."""

        def command(port: int, data: Path) -> list[str]:
            ports = {"port": port, "unbuffered_port": unbuffered_port}
            config = data / "nginx.conf"
            servers = SERVERS.format(upstream=upstream, **ports)
            config.write_text(NGINX.format(folder=data, servers=servers))
            return [binary(), "-p", str(data), "-c", str(config), "-e", str(data / "error.log")]

        self._access_log = folder / "data" / "access.log"
        self.server = Server(folder, "http", command)
        self.url = self.server.url
        """Here it buffers answers, unless an answer says otherwise."""

    def statuses(self) -> Counter[int]:
        """How often it has answered with which status."""
        lines = self._access_log.read_text().splitlines()
        return Counter(int(line.split('"')[2].split()[0]) for line in lines)


def binary() -> str:
    """Debian keeps it where a user's PATH may not lead."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise FileNotFoundError("nginx is not installed; `make test` installs it")
    return found
