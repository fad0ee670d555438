"""What those are told who wait, beside what came: models take turns on a device, each alone."""

from dataclasses import dataclass, field
from typing import Any

from modelium.common.records import ModelState
from modelium.common.testing import FakeClock, a_model_record
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.waiting.eta import Eta
from modelium.gateway.waiting.room import Waiter, WaitingRoom
from tests.unit.gateway.calls import a_call

LOAD_S, SERVES_S, DRAINS_S = 10, 6, 3


@dataclass
class Device:
    """Room for one model; whoever has waited longest comes next. Moves second by second."""

    clock: FakeClock = field(default_factory=FakeClock)
    table: RouteTable = field(default_factory=RouteTable)
    room: WaitingRoom = field(default_factory=lambda: WaitingRoom(9, 9999))
    waiters: dict[str, Waiter] = field(default_factory=dict)
    told: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """What was told of each that is waited for, and when."""
    at_s: int = 0
    version: int = 0
    loaded: str = ""

    def __post_init__(self) -> None:
        self.eta = Eta(table=self.table, room=self.room, clock=self.clock)

    def become(self, model: str, state: ModelState) -> None:
        self.version += 1
        unloaded = state is ModelState.UNLOADED
        record = a_model_record(
            model=model,
            version=self.version,
            state=state,
            load_s=float(LOAD_S),
            device_ids=() if unloaded else ("gpu-0",),
            endpoint="http://e" if state is ModelState.LOADED else None,
        )
        self.table.apply(record, self.clock.monotonic())
        self.eta.changed(model)

    def want(self, model: str) -> None:
        since_s = self.clock.monotonic() + len(self.waiters) / 1000  # one came after the other
        self.waiters[model] = self.room.enter(a_call(model), "", since_s)
        self.told[model] = []

    async def second(self) -> None:
        for model in self.waiters:
            eta_s = self.eta.of(model)
            assert eta_s is not None
            self.told[model].append((self.at_s, eta_s))
        await self.clock.advance(1)
        self.at_s += 1

    async def seconds(self, count: int) -> None:
        for _ in range(count):
            await self.second()

    async def turn(self, load_s: int = LOAD_S) -> None:
        """The one that is there goes, and who has waited longest is loaded and served."""
        await self.seconds(SERVES_S)
        self.become(self.loaded, ModelState.UNLOADING)
        await self.seconds(DRAINS_S)
        self.become(self.loaded, ModelState.UNLOADED)
        self.loaded = next(iter(self.waiters))
        self.become(self.loaded, ModelState.LOADING)
        await self.seconds(load_s)
        self.become(self.loaded, ModelState.LOADED)
        self.room.leave(self.waiters.pop(self.loaded))
        del self.told[self.loaded]


MODELS = ("a", "b", "c", "d")


def a_device() -> Device:
    """`d` serves, all others are waited for."""
    device = Device(loaded="d")
    for model in MODELS:
        device.become(model, ModelState.UNLOADED)
    device.become("d", ModelState.LOADING)
    device.become("d", ModelState.LOADED)
    for model in MODELS[:3]:
        device.want(model)
    return device


async def test_models_that_wait_for_memory_are_told_when_they_come() -> None:
    """The loads of those ahead were counted, and not that each serves before it goes."""
    device = a_device()
    await device.turn()  # from which a gateway learns what a turn is
    learned_at_s = device.at_s
    device.want("d")
    for model in ("b", "c", "d"):
        said = device.told[model]
        await device.turn()
        told = [(at_s, eta_s) for at_s, eta_s in said if at_s >= learned_at_s]
        assert [at_s + eta_s for at_s, eta_s in told] == [device.at_s] * len(told), model


async def test_a_load_that_is_late_is_not_there_in_a_second_again_and_again() -> None:
    device = a_device()
    await device.turn()
    said = device.told["b"]
    await device.turn(load_s=5 * LOAD_S)
    told = [eta_s for at_s, eta_s in said if at_s >= LOAD_S + 2 * (SERVES_S + DRAINS_S)]
    assert told.count(1) < LOAD_S / 2
    late = told[LOAD_S + LOAD_S // 2 :]
    assert late == sorted(late)
    assert late[-1] > LOAD_S


async def test_what_is_the_same_for_all_who_ask_is_reckoned_once() -> None:
    """A list of 1,000 models, of which 300 were waited for, held up all requests for 6 s."""
    device, turns = a_device(), []
    reckoned = device.table.free_in_s

    def counted(*of: Any, **more: Any) -> list[float]:
        turns.append(of)
        return reckoned(*of, **more)

    device.table.free_in_s = counted  # type: ignore[method-assign]  # counts, changes nothing
    each = {model: device.eta.of(model) for model in MODELS}
    assert len(turns) == 1
    now_s, now = device.clock.monotonic(), device.clock.now()
    for model, eta_s in each.items():
        assert eta_s == device.table.eta_s(model, now_s, now, device.room.ahead_of(model))
    device.room.leave(device.waiters.pop("a"))
    assert (device.eta.of("b") or 0) < (each["b"] or 0)
    device.become("c", ModelState.LOADING)
    assert (device.eta.of("b") or 0) > (device.eta.of("c") or 0)
