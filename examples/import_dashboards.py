"""Puts dashboards into a Grafana by its HTTP API; the standard library is enough.

    GRAFANA_URL=http://127.0.0.1:3000 GRAFANA_TOKEN=... \
        python examples/import_dashboards.py dashboard.json ...

The token is one of a service account with the role Editor. Each dashboard is replaced where it is
there already; a variable of a data source gets the first Prometheus that this Grafana has.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

URL = os.environ.get("GRAFANA_URL", "http://127.0.0.1:3000").rstrip("/")
TOKEN = os.environ.get("GRAFANA_TOKEN", "")


def ask(method: str, path: str, body: Any = None) -> Any:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def inputs(dashboard: dict[str, Any], prometheus: dict[str, Any]) -> list[dict[str, str]]:
    """What the dashboard asks for when it is imported: its data sources."""
    return [
        {"name": each["name"], "type": "datasource", "pluginId": "prometheus"}
        | {"value": prometheus["uid"]}
        for each in dashboard.get("__inputs", ())
        if each["type"] == "datasource"
    ]


sources = [each for each in ask("GET", "/api/datasources") if each["type"] == "prometheus"]
if not sources:
    sys.exit(f"{URL} has no data source of the type prometheus; add one first")
for file in sys.argv[1:]:
    dashboard = json.loads(Path(file).read_text())
    body = {"dashboard": dashboard | {"id": None}, "overwrite": True}
    done = ask("POST", "/api/dashboards/import", body | {"inputs": inputs(dashboard, sources[0])})
    print(f"{dashboard['title']}: {URL}{done['importedUrl']}")
