"""A whole system asked by a real Prometheus: every query of every dashboard, every rule.

Each of the services' pages is what promtool lints. The engine is the stub.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.test_spine import ENGINE, ENGINE_SETTINGS, ONE_ENGINE, drop
from tests.promtool import complaints, tool
from tests.system import ROOT, SERVICES, System, free_port, running, stub_python, wait_until

HOME = ROOT / "deploy" / "observability"
DASHBOARDS = sorted((HOME / "grafana" / "dashboards").glob("*.json"))
VARIABLES = {"$__rate_interval": "1m", "$model": ".+"}

MAY_BE_EMPTY = {
    "Given back to NATS": "no handler fails here",
    "Loads that failed, in a row": "no load fails here",
    "Cache in use (vLLM)": "the stub does not count it; vLLM does",
    "Requests at the model host": "no model of this run needs the model host",
    "Rows of a run at the model host": "no model of this run needs the model host",
}
"""Panels without data in this run, and why."""
NOT_SEEN = {
    "modelium_events_redelivered_total": "no handler fails here",
}
"""Metrics of rules that nothing has counted in this run, and why."""


@dataclass
class Prometheus:
    """One that has looked at a system that worked for a while."""

    url: str
    system: System

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """The samples that it is made of now."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found


def _settings(system: System, folder: Path) -> Path:
    """Those for local processes, with this system's ports, every second."""
    settings = yaml.safe_load((HOME / "prometheus" / "prometheus-local.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [str(HOME / "prometheus" / "rules" / "*.yml")]
    del settings["alerting"]
    for job in settings["scrape_configs"]:
        name = "runtime_agent" if job["job_name"] == "engines" else job["job_name"]
        port = system.ports[name.replace("-", "_")]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(settings))
    return path


def _work(system: System) -> None:
    """Loads, evictions, an error of a client; each twice, or no counter would be seen to rise."""
    for model in ("a", "b"):
        system.chat(model)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        system.chat("nobody")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """See the class."""
    folder = tmp_path_factory.mktemp("observed")
    python = stub_python(folder, *ENGINE)
    system_folder = folder / "system"
    system_folder.mkdir()
    with running(
        system_folder, engine_python=python, slot_bytes=ONE_ENGINE, settings=ENGINE_SETTINGS
    ) as system:
        drop(system, "a", "b")
        port = free_port()
        command = [
            tool("prometheus"),
            f"--config.file={_settings(system, folder)}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        system.spawn("prometheus", command)
        asked = Prometheus(f"http://127.0.0.1:{port}", system)
        wait_until("Prometheus has looked at all", lambda: _has_seen_all(asked))
        _work(system)
        counted = "modelium_model_load_duration_seconds_count"
        wait_until("it has seen the loads", lambda: len(asked.query(counted)) == 2)
        _work(system)
        wait_until("it has seen them again", lambda: len(asked.query(f"{counted} == 2")) == 2)
        yield asked


def _has_seen_all(prometheus: Prometheus) -> bool:
    try:
        return len(prometheus.query("up == 1")) == len(SERVICES) + 1
    except OSError:
        return False


def test_every_panel_shows_something(prometheus: Prometheus) -> None:
    queries = {
        (panel["title"], _filled(target["expr"]))
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    }
    expected = {query for query in queries if query[0] not in MAY_BE_EMPTY}
    _see_all(prometheus, {expression for _, expression in expected})
    empty = {title for title, expression in queries if not prometheus.query(expression)}
    assert set(MAY_BE_EMPTY) <= empty, "no longer empty: no reason for an exception"


def _see_all(prometheus: Prometheus, expressions: set[str]) -> None:
    """Each has samples at some time, the next time that the services are asked at the latest."""
    unseen = set(expressions)

    def seen() -> bool:
        unseen.difference_update([each for each in unseen if prometheus.query(each)])
        return not unseen

    try:
        wait_until("all queries have samples", seen)
    except AssertionError:
        pytest.fail(f"no samples: {sorted(unseen)}")


def _filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def test_every_rule_is_evaluated_on_what_is_there(prometheus: Prometheus) -> None:
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert rules
    assert {rule["health"] for rule in rules} == {"ok"}
    names = {name for rule in rules for name in re.findall(r"\bmodelium_\w+", rule["query"])}
    assert set(NOT_SEEN) <= names
    _see_all(prometheus, names - set(NOT_SEEN))


def test_a_system_that_is_well_fires_nothing(prometheus: Prometheus) -> None:
    assert not prometheus.query('ALERTS{alertstate="firing"}')


@pytest.mark.parametrize("service", SERVICES)
def test_promtool_finds_nothing_wrong_with_the_metrics(
    prometheus: Prometheus, service: str
) -> None:
    url = f"http://127.0.0.1:{prometheus.system.ports[service]}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        page = answer.read()
    assert b"modelium_build_info{" in page
    assert not complaints("promtool", "check", "metrics", text=page)


def test_what_engines_say_bears_their_model_and_agent(prometheus: Prometheus) -> None:
    of_b = 'vllm:num_requests_running{model="b"}'
    _see_all(prometheus, {of_b})
    [running] = prometheus.query(of_b)
    labels = running["metric"]
    assert labels["model_name"] == "b"
    assert labels["instance_id"].startswith("b.")
    assert labels["agent"] == "local"
