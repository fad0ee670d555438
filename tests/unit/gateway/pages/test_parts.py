"""What a caller sees of models."""

import pytest

from modelium.common.records import ModelRecord, ModelState
from modelium.common.testing import FakeClock, InMemoryBus, InMemoryStore, a_model_record
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.gate import Gate
from modelium.gateway.live.parts import live_parts
from modelium.gateway.pages.parts import ColdParts, Seen
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.eta import Eta
from modelium.gateway.waiting.room import WaitingRoom
from tests.unit.gateway.calls import a_call


class OneByOne(RouteTable):
    """A table whose models, which may be thousands, are not to be gone through."""

    def records(self) -> list[ModelRecord]:
        raise AssertionError("it went through all models")

    def routed(self) -> list[str]:
        raise AssertionError("it went through all models")


def seen_in(table: RouteTable) -> Seen:
    clock = FakeClock()
    room, stats, bus = WaitingRoom(9, 999), Stats(clock), InMemoryBus(clock=clock)
    store = InMemoryStore(clock)
    eta = Eta(table=table, room=room, clock=clock)
    live = live_parts(
        gateway_id="g1",
        table=table,
        room=room,
        eta=eta,
        stats=stats,
        bus=bus,
        store=store,
        clock=clock,
        pinned=(),
    )
    parts = ColdParts(
        gateway_id="g1",
        table=table,
        room=room,
        eta=eta,
        stats=stats,
        store=store,
        bus=bus,
        clock=clock,
        gate=Gate(known=True),
        live=live,
        pinned=(),
    )
    parts.room.enter(a_call(), "acme", clock.monotonic() - 2)
    return Seen(parts, lambda model: model != "secret")


def test_the_page_of_a_model_is_made_of_its_own_record() -> None:
    """Clients that do not wait ask for it until it says `loaded`."""
    table = OneByOne()
    table.apply(a_model_record(state=ModelState.LOADING, load_s=9.0, version=1), 0.0)
    page = seen_in(table).page("qwen")
    assert (page.model, page.state, page.load_s) == ("qwen", "loading", 9.0)
    assert (page.waiting, page.oldest_wait_s) == (1, 2.0)


@pytest.mark.parametrize("model", ["secret", "nobody"])
def test_there_is_no_page_of_a_model_that_is_not_seen(model: str) -> None:
    table = RouteTable()
    table.apply(a_model_record(model="secret", version=1), 0.0)
    with pytest.raises(ApiError) as refused:
        seen_in(table).page(model)
    assert refused.value.status == 404
