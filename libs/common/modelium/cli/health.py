"""`modelium health SERVICE`, for health checks of containers: small imports, exit code 0 or 1."""

import sys
from http.client import HTTPConnection, HTTPException

from modelium.common.errors import ExitCode

TIMEOUT_S = 3.0


def is_ready(service: str) -> bool:
    """Whether GET /readyz of that service, on this machine, answers 200."""
    from modelium.common.load_settings import load

    settings = load()
    name = service.replace("-", "_")
    host, port = settings.health.host, getattr(settings.health, f"{name}_port", None)
    if name == "gateway":
        host, port = settings.gateway.host, settings.gateway.port
    if port is None:
        known = [n.removesuffix("_port") for n in type(settings.health).model_fields if n != "host"]
        print(f"no service {service}; there are gateway, {', '.join(known)}", file=sys.stderr)
        raise SystemExit(ExitCode.USAGE)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        print(answer.status, answer.read().decode("utf-8", "replace"))
    except (OSError, HTTPException) as wrong:
        print(f"{host}:{port} does not answer: {wrong}", file=sys.stderr)
        return False
    finally:
        connection.close()
    return answer.status == 200
