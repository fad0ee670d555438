"""The rules of placement, as they must hold for each order and for everybody who waits.

Judged by what is true of the fleet, not by what `decide` was shown.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelium.common.records import ModelState
from modelium.core.actions import Action, Load, Queue, Sleep, Unload, Wake
from modelium.core.bound import wait_bounds_s
from modelium.core.snapshot import Snapshot
from tests.properties.fleet_parts import Broken, Engine, Model

if TYPE_CHECKING:
    from tests.properties.fleet import Fleet


class Judge:
    """Of one second: `touched` are the devices that an order of it works on."""

    def __init__(self, fleet: "Fleet") -> None:
        self._fleet = fleet
        self.touched: set[str] = set()
        self._emptied: dict[str, str] = {}
        """Device to the waiter for which others leave it."""

    def queue(self, queue: Queue) -> None:
        """Whoever is younger does not get what is being emptied for it, or will be."""
        waits_for_fresh = queue.cause.startswith("fresh:") and self._may_displace_all(queue.model)
        if queue.victims or waits_for_fresh:
            self._emptied.setdefault(queue.device_id, queue.model)

    def _may_displace_all(self, name: str) -> bool:
        """Whether it is old enough, on devices that are as their drivers say."""
        fleet = self._fleet
        if any(place.outside or place.lie for place in fleet.places.values()):
            return False
        waiting = sum(bool(m.waits_s) and not fleet.serves(n) for n, m in fleet.models.items())
        since_s = fleet.models[name].waits_s[:1]
        patience_s = fleet.policy.displace_after_s * waiting
        return bool(since_s) and fleet.now_s - since_s[0] >= patience_s

    def load(self, load: Load) -> None:
        """There is room, nobody else is started, and it has no engine yet."""
        fleet, model = self._fleet, self._fleet.models[load.model]
        if load.model in fleet.engines:
            raise Broken("single_flight", load)
        if model.retry_s > fleet.now_s:
            raise Broken("back_off", load)
        if {fleet.places[device].agent for device in load.device_ids} != {load.agent_id}:
            raise Broken("one_agent", load)
        several = len(load.device_ids)
        if load.reserve_bytes != (model.parts[several] if several > 1 else model.size):
            raise Broken("all_or_none", load)
        self.starts(load, load.device_ids, load.reserve_bytes)

    def wake(self, wake: Wake) -> None:
        """It sleeps, and there is room for the rest of it."""
        engine = self._fleet.engines[wake.model]
        if engine.state is not ModelState.SLEEPING:
            raise Broken("wakes_what_sleeps", wake)
        self.starts(wake, engine.devices, engine.size - engine.kept)

    def replaces(self, load: Load) -> None:
        """There is room beside the engine of old files that goes on until then."""
        engine = self._fleet.engines.get(load.model)
        old = engine is not None and self._fleet.is_old(engine)
        if engine is None or not old or engine.state is not ModelState.LOADED:
            raise Broken("single_flight", load)
        self.starts(load, load.device_ids, load.reserve_bytes)

    def starts(self, order: Load | Wake, devices: Sequence[str], more: int) -> None:
        """There is room on each device, nothing else is done there, and nobody older waits."""
        fleet = self._fleet
        for device in devices:
            place, held = fleet.places[device], fleet.held(device)
            if device in self.touched or fleet.changing(device):
                raise Broken("one_at_a_time", order)
            if held + more > place.total:
                raise Broken("ledger", order)
            if held + place.outside + more > place.total + place.lie:
                raise Broken("driver", order)
            if self._emptied.get(device, order.model) != order.model:
                raise Broken("claim", order)

    def unload(self, unload: Unload, engine: Engine) -> None:
        """Nobody is stopped who is needed, or who is at something else."""
        model = self._fleet.models[unload.model]
        cancelled = model.unload_asked and engine.state is ModelState.LOADING
        old = self._fleet.is_old(engine)
        if model.pinned and not old:
            raise Broken("pinned", unload)
        self._one_at_a_time(unload, engine, cancelled=cancelled)
        if not (model.unload_asked or old):
            self._gives_way(unload, engine, model)

    def sleep(self, sleep: Sleep, engine: Engine) -> None:
        """Only for what is loaded and can sleep, and while there is memory for it to sleep in."""
        model, fleet = self._fleet.models[sleep.model], self._fleet
        if model.pinned:
            raise Broken("pinned", sleep)
        if engine.state is not ModelState.LOADED:
            raise Broken("sleeps_what_runs", sleep)
        self._one_at_a_time(sleep, engine)
        if not model.sleep_asked:
            self._gives_way(sleep, engine, model)
        way = next(way for way in model.sleeps if way.level == sleep.level)
        agent = fleet.places[engine.devices[0]].agent
        if fleet.slept_in(agent) + way.host_bytes > fleet.hosts.get(agent, 0):
            raise Broken("host_memory", sleep)

    def _one_at_a_time(self, order: Action, engine: Engine, *, cancelled: bool = False) -> None:
        changing = any(map(self._fleet.changing, engine.devices)) and not cancelled
        if changing or not self.touched.isdisjoint(engine.devices):
            raise Broken("one_at_a_time", order)

    def _gives_way(self, order: Action, engine: Engine, model: Model) -> None:
        self._for_whom(order, engine)
        if engine.state is ModelState.SLEEPING:
            return
        fleet = self._fleet
        loaded_for_s = fleet.now_s - (engine.loaded_s or 0)
        kept = model.keep_alive_s is not None and not engine.ends_s
        if loaded_for_s < fleet.policy.min_residency_s and not kept:
            raise Broken("residency", order)
        if engine.ends_s and not self._somebody_may_displace(len(engine.ends_s)):
            raise Broken("in_use", order)

    def _for_whom(self, order: Action, engine: Engine) -> None:
        """Nobody gives way to one for whom the device is not emptied."""
        for waiter in filter(None, map(self._emptied.get, engine.devices)):
            makes_room = order.reason.startswith("makes room for ")
            if makes_room and order.reason != f"makes room for {waiter}":
                raise Broken("claim", order)

    def _somebody_may_displace(self, served: int) -> bool:
        """Somebody whose wait is long, or with as many requests as lose their engine."""
        fleet = self._fleet
        return any(
            model.waits_s
            and not fleet.serves(name)
            and (
                fleet.now_s - model.waits_s[0] >= fleet.policy.displace_after_s
                or max(1, len(model.waits_s)) >= served
            )
            for name, model in fleet.models.items()
        )

    def waits(self, seen: Snapshot, actions: Sequence[Action]) -> None:
        """Everybody who waits is told why, and none for longer than the bound."""
        fleet = self._fleet
        refused = {a.model for a in actions if isinstance(a, Queue) and a.never}
        told = refused | {a.model for a in actions}
        bounds_s = wait_bounds_s(seen, fleet.policy)
        for name, model in fleet.models.items():
            if not model.waits_s or model.retry_s > fleet.now_s:
                continue
            if name not in told and not self._at_work(name):
                raise Broken("told", name)
            if name in refused:
                self._refusal(name)
                model.waits_s.clear()
            elif fleet.now_s - model.waits_s[0] > bounds_s[name] + 1 and not self._loads(name):
                raise Broken("bound", name)

    def _at_work(self, name: str) -> bool:
        """Whether something is done to its engine, or to a device on which it sleeps."""
        engine = self._fleet.engines.get(name)
        if engine is None:
            return False
        asleep = engine.state is ModelState.SLEEPING
        return not asleep or not self.touched.isdisjoint(engine.devices)

    def _loads(self, name: str) -> bool:
        """A load under way ends by its own deadline, or with what an operator has it stopped by."""
        engine, model = self._fleet.engines.get(name), self._fleet.models[name]
        if engine is None:
            return False
        stopped = engine.changing and (model.unload_asked or self._fleet.is_old(engine))
        return engine.state is ModelState.LOADING or stopped

    def _refusal(self, name: str) -> None:
        """Nobody is refused who fits somewhere and whose wait nothing has disturbed."""
        fleet, model = self._fleet, self._fleet.models[name]
        if self._has_a_home(model) and model.waits_s[0] > fleet.disturbed_s:
            raise Broken("served", f"{name} was refused after {fleet.now_s - model.waits_s[0]} s")

    def _has_a_home(self, model: Model) -> bool:
        left = {device: self._left(device) for device in self._fleet.places}
        if any(model.size <= here for here in left.values()):
            return True
        agents = [
            p.agent
            for d, p in self._fleet.places.items()
            for n in model.parts.values()
            if n <= left[d]
        ]
        return any(agents.count(agent) > 1 for agent in agents)

    def _left(self, device: str) -> int:
        fleet = self._fleet
        pinned = (
            engine.holds
            for engine in fleet.engines.values()
            if device in engine.devices and fleet.models[engine.model].pinned
        )
        return fleet.places[device].total - sum(pinned)
