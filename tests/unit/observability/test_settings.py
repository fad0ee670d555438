"""The settings of Prometheus, Alertmanager and Grafana, as far as files can be wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelium.common.settings import Health
from tests.promtool import complaints
from tests.system import ROOT

HOME = ROOT / "deploy" / "observability"
DASHBOARDS = sorted((HOME / "grafana" / "dashboards").glob("*.json"))


def test_prometheus_takes_its_settings_and_rules() -> None:
    assert not complaints("promtool", "check", "config", HOME / "prometheus/prometheus-local.yml")
    compose = HOME / "prometheus" / "prometheus.yml"
    # Its rules are at a path of the container.
    assert not complaints("promtool", "check", "config", "--syntax-only", compose)
    assert not complaints("promtool", "check", "rules", HOME / "prometheus/rules/modelium.yml")


def test_alertmanager_takes_its_settings() -> None:
    file = HOME / "alertmanager" / "alertmanager.yml"
    assert not complaints("amtool", "check-config", file)


def _jobs(name: str) -> dict[str, dict[str, Any]]:
    settings = yaml.safe_load((HOME / "prometheus" / name).read_text())
    return {job["job_name"]: job for job in settings["scrape_configs"]}


def test_both_settings_of_prometheus_ask_every_service_where_it_answers() -> None:
    compose, local = _jobs("prometheus.yml"), _jobs("prometheus-local.yml")
    assert set(compose) - {"prometheus"} == set(local)
    for name, job in local.items():
        service = "runtime_agent" if name in ("runtime-agent", "engines") else name
        port = 8000 if name == "gateway" else getattr(Health(), f"{service}_port")
        assert job["static_configs"] == [{"targets": [f"127.0.0.1:{port}"]}]
        assert compose[name]["dns_sd_configs"][0]["port"] == port
        assert compose[name].get("metrics_path") == job.get("metrics_path")


def test_what_prometheus_asks_in_compose_is_a_name_on_a_network_that_it_is_on() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    own = set(services["prometheus"]["networks"])
    names = {name for name, service in services.items() if own & set(service.get("networks", ()))}
    names |= {
        alias
        for service in services.values()
        if isinstance(networks := service.get("networks"), dict)
        for network in own & set(networks)
        for alias in networks[network].get("aliases", ())
    }
    for job in _jobs("prometheus.yml").values():
        assert {name for sd in job.get("dns_sd_configs", ()) for name in sd["names"]} <= names
    asked = [
        s for s in services.values() if "environment" in s and "MODELIUM_CONFIG" in s["environment"]
    ]
    assert len(asked) >= 7
    assert {s["environment"]["MODELIUM_HEALTH__HOST"] for s in asked} == {"0.0.0.0"}


def test_grafana_finds_the_data_source_and_the_folder_that_the_files_name() -> None:
    provisioning = HOME / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "modelium.yml").read_text())
    assert sources["datasources"][0]["uid"] == "modelium-prometheus"
    boards = yaml.safe_load((provisioning / "dashboards" / "modelium.yml").read_text())
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    folder = boards["providers"][0]["options"]["path"]
    assert any(f":{folder}:" in mount for mount in mounts["volumes"])


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_has_a_query_a_unit_and_a_place_of_its_own(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == f"modelium-{path.stem}"
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["expr"] for target in panel["targets"])
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_there_is_a_dashboard_for_each_question() -> None:
    assert [path.stem for path in DASHBOARDS] == ["brain", "fleet", "gateway", "model"]
