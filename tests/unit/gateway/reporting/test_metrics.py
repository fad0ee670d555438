"""What /metrics shows."""

from modelium.gateway.reporting.metrics import GatewayCollector
from tests.unit.gateway.calls import a_call
from tests.unit.gateway.world import World


def collector(world: World) -> GatewayCollector:
    return GatewayCollector(
        world.stats,
        world.table,
        world.room,
        world.dispatch,
        world.clock,
        connections=lambda: 7,
        limits_are_local=lambda: True,
        queue_limit=64,
    )


def shown(world: World, name: str) -> dict[str, float]:
    return {
        ",".join(sample.labels.values()): sample.value
        for family in collector(world).collect()
        if family.name == f"modelium_gateway_{name}"
        for sample in family.samples
    }


def test_each_instance_shows_its_load_and_whether_it_is_avoided() -> None:
    world = World()
    world.loaded(17, 18)
    leases = [world.enter() for _ in range(4)]
    next(lease for lease in leases if lease.generation == 18).failed()
    assert shown(world, "instance_inflight_requests") == {"qwen,0": 2, "qwen,1": 2}
    assert shown(world, "instance_breaker_state") == {"qwen,0": 0, "qwen,1": 2}
    assert shown(world, "inflight_requests") == {"qwen": 4}
    assert shown(world, "engine_connections") == {"": 7}
    assert shown(world, "limits_local") == {"": 1}


def test_an_instance_is_called_one_in_labels_too() -> None:
    world = World()
    world.loaded(17)
    labels = {
        family.name: set(sample.labels)
        for family in collector(world).collect()
        for sample in family.samples
        if "instance" in family.name
    }
    assert len(labels) == 2
    assert all(names == {"model", "engine"} for names in labels.values())


def test_a_model_that_is_not_loaded_shows_its_queue_and_no_instance() -> None:
    world = World()
    world.holding.join(a_call(), "")
    assert shown(world, "queue_depth") == {"qwen": 1}
    assert shown(world, "instance_breaker_state") == {}
