"""Every alert fires when it should and not otherwise, by promtool's own evaluation of the rules."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.promtool import complaints
from tests.system import ROOT

RULES = ROOT / "deploy" / "observability" / "prometheus" / "rules" / "modelium.yml"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}
JOBS = ("gateway", "watcher", "registry", "brain", "orchestrator", "runtime-agent")
GIB = 1 << 30


class Case(NamedTuple):
    """Series by name, as promtool writes their values, and whether the alert fires in the end.

    `a+bx40` is 41 values, each b more than the one before; one every 15 s.
    """

    alert: str
    fires: bool
    series: dict[str, str]


def up(**values: str) -> dict[str, str]:
    series = {job: "1x40" for job in JOBS} | {k.replace("_", "-"): v for k, v in values.items()}
    return {f'up{{job="{job}",instance="{job}"}}': v for job, v in series.items() if v}


def requests(failed: str, ok: str) -> dict[str, str]:
    name = "modelium_gateway_requests_total"
    return {
        f'{name}{{model="a",outcome="failed"}}': failed,
        f'{name}{{model="a",outcome="ok"}}': ok,
    }


def device(reserved: int, used: int) -> dict[str, str]:
    gpu = '{device="GPU-1",agent="gpu"}'
    of = {"reserved": reserved, "used": used, "total": 80 * GIB}
    return {f"modelium_device_memory_{what}_bytes{gpu}": f"{n}x40" for what, n in of.items()}


def waits(seconds: str) -> dict[str, str]:
    bound = {'modelium_model_wait_bound_seconds{model="a"}': "600x40"}
    return {'modelium_model_wait_seconds{model="a"}': seconds, **bound}


def queue(depth: str) -> dict[str, str]:
    return {
        'modelium_gateway_queue_depth{model="a",instance="g1"}': depth,
        'modelium_gateway_queue_depth{model="a",instance="g2"}': "0x40",
        'modelium_gateway_queue_limit{instance="g1"}': "1000x40",
        'modelium_gateway_queue_limit{instance="g2"}': "1000x40",
    }


def decided(failed: str, led: str) -> dict[str, str]:
    name = "modelium_brain_decisions_total"
    return {
        f'{name}{{source="llm",outcome="failed"}}': failed,
        f'{name}{{source="llm",outcome="led"}}': led,
    }


def one(name: str, labels: str, values: str) -> dict[str, str]:
    return {f"modelium_{name}{{{labels}}}": values}


BREAKER = "gateway_instance_breaker_state"
EVICTED = 'model="a",reason="room",tier="unloaded"'
CASES = (
    Case("ModeliumServiceDown", True, up(registry="0x40")),
    Case("ModeliumServiceDown", True, up(runtime_agent="")),  # its container is gone
    Case("ModeliumServiceDown", False, up(registry="1x37 0 1 1")),  # a restart
    Case("ModeliumServiceDown", False, up(brain="")),  # may be switched off
    Case("ModeliumNobodyLeads", True, one("leader", 'lease="orchestrator",instance="a"', "0x40")),
    Case(
        "ModeliumNobodyLeads",
        False,
        one("leader", 'lease="orchestrator",instance="a"', "0x40")
        | one("leader", 'lease="orchestrator",instance="b"', "1x40"),
    ),
    Case("ModeliumAgentLost", True, one("agent_silent_seconds", 'agent="gpu"', "0+15x40")),
    Case("ModeliumAgentLost", False, one("agent_silent_seconds", 'agent="gpu"', "1x40")),
    Case(
        "ModeliumDeadLetters", True, one("events_dead_lettered_total", 'subject="a"', "0x20 1x20")
    ),
    Case("ModeliumDeadLetters", False, one("events_dead_lettered_total", 'subject="a"', "3x40")),
    Case("ModeliumEventsRedelivered", True, one("events_redelivered_total", "", "0+15x40")),
    Case("ModeliumEventsRedelivered", False, one("events_redelivered_total", "", "0x38 5 9")),
    Case("ModeliumLimitsLocal", True, one("gateway_limits_local", 'instance="g1"', "1x40")),
    Case("ModeliumLimitsLocal", False, one("gateway_limits_local", 'instance="g1"', "0x40")),
    Case("ModeliumLoadsFail", True, one("model_failures", 'model="a"', "0 1 2 3x37")),
    Case("ModeliumLoadsFail", False, one("model_failures", 'model="a"', "0 1 2 3 0x37")),
    Case("ModeliumWaitNearItsBound", True, waits("0+15x40")),
    Case("ModeliumWaitNearItsBound", False, waits("0+5x40")),
    Case("ModeliumModelsTakeTurns", True, one("model_evictions_total", EVICTED, "0+1x40")),
    Case("ModeliumModelsTakeTurns", False, one("model_evictions_total", EVICTED, "0x30 3x10")),
    Case("ModeliumDeviceOverPromised", True, device(81 * GIB, 0)),
    Case("ModeliumDeviceOverPromised", False, device(80 * GIB, 0)),
    Case("ModeliumDeviceOverBudget", True, device(0, 81 * GIB)),
    Case("ModeliumDeviceOverBudget", False, device(0, 80 * GIB)),
    Case("ModeliumQueueNearlyFull", True, queue("900x40")),
    Case("ModeliumQueueNearlyFull", False, queue("700x40")),
    Case("ModeliumRequestsFail", True, requests("0+1x40", "0+9x40")),
    Case("ModeliumRequestsFail", False, requests("0+1x40", "0+99x40")),
    Case("ModeliumRequestsFail", False, requests("5x40", "7x40")),  # nobody asks now
    Case("ModeliumRequestsRefused", True, one("gateway_refused_requests_total", "", "0+30x40")),
    Case("ModeliumRequestsRefused", False, one("gateway_refused_requests_total", "", "0+1x40")),
    Case("ModeliumEngineAvoided", True, one(BREAKER, 'model="a",engine="0"', "2x40")),
    Case(
        "ModeliumEngineAvoided",
        False,
        one(BREAKER, 'model="a",engine="0"', "2x40") | one(BREAKER, 'model="a",engine="1"', "0x40"),
    ),
    Case(
        "ModeliumBrainDemoted", True, one("brain_leader_changes_total", 'source="rules"', "0x30 1")
    ),
    Case(
        "ModeliumBrainDemoted", False, one("brain_leader_changes_total", 'source="llm"', "0x30 1")
    ),
    Case("ModeliumBrainFails", True, decided("0+2x40", "0+1x40")),
    Case("ModeliumBrainFails", False, decided("0+1x40", "0+9x40")),
    Case("ModeliumBrainFails", False, decided("0x40", "0x40")),  # nobody asks it
)


def test_every_alert_is_seen_to_fire_and_seen_not_to() -> None:
    for fires in (True, False):
        assert {case.alert for case in CASES if case.fires is fires} == set(ALERTS)


def test_alerts_fire_when_they_should_and_not_otherwise(tmp_path: Path) -> None:
    tests = tmp_path / "tests.yml"
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [_test(case) for case in CASES],
    }
    tests.write_text(yaml.safe_dump(document))
    assert not complaints("promtool", "test", "rules", tests)


def _test(case: Case) -> dict[str, Any]:
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}}) > bool 0'
    expected = [{"labels": "{}", "value": 1}] if case.fires else []
    return {
        "name": f"{case.alert} {'fires' if case.fires else 'is quiet'}",
        "interval": "15s",
        "input_series": [{"series": s, "values": v} for s, v in case.series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": "10m", "exp_samples": expected}],
    }


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_to_do_and_where_to_read_more(name: str) -> None:
    rule = ALERTS[name]
    said = rule["annotations"]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert said["summary"]
    assert len(said["description"]) > len(said["summary"])
    page, _, anchor = said["runbook_url"].partition("#")
    assert anchor in _anchors(ROOT / page)


def _anchors(page: Path) -> set[str]:
    """Of its headings, as code hosts make them."""
    headings = [line.lstrip("#").strip() for line in page.read_text().splitlines() if "# " in line]
    kept = ("".join(c for c in h.lower() if c.isalnum() or c in " -") for h in headings)
    return {heading.replace(" ", "-") for heading in kept}
