"""What other gateways have in flight."""

from modelium.common.events import GatewayStats
from modelium.common.figures import LEASE_S, GatewayModelStats
from modelium.gateway.engines.peers import Peers


def stats(gateway: str, **counts: int) -> GatewayStats:
    in_flight = {int(name.removeprefix("g")): count for name, count in counts.items()}
    model = GatewayModelStats(
        model="qwen",
        requests=0,
        failures=0,
        in_flight=sum(counts.values()),
        waiting=0,
        oldest_wait_s=0,
        idle_s=None,
        routed_generations=(),
        in_flight_generations=in_flight,
    )
    return GatewayStats(gateway_id=gateway, models=(model,))


def test_the_others_add_up_and_what_we_say_ourselves_does_not_count() -> None:
    peers = Peers("me")
    for said in (stats("me", g1=50), stats("a", g1=2, g2=7), stats("b", g1=3)):
        peers.heard(said, 10)
    assert (peers.in_flight("qwen", 1), peers.in_flight("qwen", 2)) == (5, 7)
    assert (peers.in_flight("qwen", 3), peers.in_flight("llama", 1), peers.alive) == (0, 0, 2)


def test_only_the_last_word_counts() -> None:
    peers = Peers("me")
    peers.heard(stats("a", g1=9), 10)
    peers.heard(stats("a", g1=1), 11)
    assert peers.in_flight("qwen", 1) == 1


def test_a_silent_gateways_leases_end() -> None:
    peers = Peers("me")
    peers.heard(stats("a", g1=9), 10)
    peers.expire(10 + LEASE_S - 0.1)
    assert peers.alive == 1
    peers.expire(10 + LEASE_S)
    assert (peers.in_flight("qwen", 1), peers.alive) == (0, 0)


def test_the_counts_survive_the_way_over_the_wire() -> None:
    said = stats("a", g1=2, g12=1)
    read = GatewayStats.model_validate_json(said.model_dump_json())
    assert read.models[0].in_flight_generations == {1: 2, 12: 1}
