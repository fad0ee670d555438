"""What the orchestrator that decides tells Prometheus, and that another tells nothing."""

import pytest
from prometheus_client import CollectorRegistry

from modelium.common.events import AgentHeartbeat
from modelium.core.actions import Cause, Load, Sleep, Unload
from modelium.orchestrator.agents import REMOVED_AFTER_S, SILENT_AFTER_S, Agents
from modelium.orchestrator.fleet_metrics import EVICTIONS, FleetCollector, count_eviction
from modelium.orchestrator.owner import TermEnded
from tests.unit.orchestrator.rig import Rig, a_model, loaded, running
from tests.unit.orchestrator.scripted import GB


def shown(rig: Rig) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(FleetCollector(rig.owners[-1].look))
    return registry


async def test_models_devices_and_agents_are_told_as_they_are() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await loaded(rig, "a")
        page = shown(rig)
        state = page.get_sample_value("modelium_model_state", {"model": "a", "state": "loaded"})
        assert state == 1
        assert page.get_sample_value("modelium_agents") == 1
        device = {"device": "cpu-local-0", "agent": "local"}
        assert page.get_sample_value("modelium_device_memory_reserved_bytes", device) == 3 * GB
        assert page.get_sample_value("modelium_model_failures", {"model": "b"}) == 0


async def test_the_wait_of_a_model_and_its_bound_are_told() -> None:
    async with running(a_model("a"), slow=True) as rig:
        rig.gateway.waits_for("a")
        await rig.seconds(3)
        page = shown(rig)
        waited = page.get_sample_value("modelium_model_wait_seconds", {"model": "a"})
        bound = page.get_sample_value("modelium_model_wait_bound_seconds", {"model": "a"})
        assert waited is not None
        assert bound is not None
        assert 0 < waited < bound


async def test_one_that_does_not_lead_tells_nothing() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        rig.owners[-1].post(TermEnded())
        await rig.seconds(1)
        assert not list(shown(rig).collect())


def test_an_agent_is_told_of_until_it_was_silent_for_an_hour() -> None:
    agents = Agents(now_s=0.0)
    agents.heard(AgentHeartbeat(agent_id="gpu", launcher="docker", devices=(), instances=()), 10.0)
    assert agents.silent_s(10.0 + SILENT_AFTER_S) == {"gpu": SILENT_AFTER_S}
    agents.excuse(15.0)  # we were away ourselves
    assert agents.silent_s(20.0) == {"gpu": 5.0}
    assert agents.silent_s(15.0 + REMOVED_AFTER_S) == {}


@pytest.mark.parametrize(
    ("action", "labels"),
    [
        (Unload("x", "somebody waits"), ("x", "room", "unloaded")),
        (Unload("x", "an operator", cause=Cause.OPERATOR), ("x", "operator", "unloaded")),
        (Sleep("x", 1, "advice", cause=Cause.ADVICE), ("x", "advice", "sleeping")),
    ],
)
def test_what_leaves_its_memory_is_counted_by_cause(
    action: Unload | Sleep, labels: tuple[str, ...]
) -> None:
    before = EVICTIONS.labels(*labels)._value.get()
    count_eviction(action)
    count_eviction(Load("x", "agent", ("gpu",), 1, "no eviction"))
    assert EVICTIONS.labels(*labels)._value.get() == before + 1
