"""The rules hold whatever the snapshot says; and a world that runs by `decide` serves everybody.

Each property is shown to have teeth: with its rule switched off, the same check fails.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import DeviceKind, ModelState
from modelium.core.actions import Action, Load, Queue, Unload
from modelium.core.decide import decide
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from tests.unit.core.places import GIB, POLICY, cold, device, loaded, seen, waiting

SLOTS = ("cpu-local-0", "cpu-local-1", "cpu-local-2")
ENGINE_STATES = (ModelState.LOADING, ModelState.LOADED, ModelState.UNLOADING)
IDLE_STATES = (ModelState.UNLOADED, ModelState.ERROR, ModelState.REJECTED, ModelState.ANALYZING)

durations = st.one_of(st.none(), st.floats(0, 200))


@st.composite
def models(draw: st.DrawFn, name: str) -> ModelView:
    live = draw(st.booleans())
    waits = draw(st.integers(0, 3))
    size = draw(st.integers(1, 6)) * GIB
    return ModelView(
        model=name,
        state=draw(st.sampled_from(ENGINE_STATES if live else IDLE_STATES)),
        needed=dict.fromkeys(DeviceKind, size),
        blocked=draw(st.sampled_from(["", "", "", "no runtime"])),
        pinned=draw(st.booleans()),
        removed=draw(st.sampled_from([False, False, True])),
        stale_files=draw(st.sampled_from([False, False, True])),
        unload_requested=draw(st.sampled_from([False, False, True])),
        device_ids=(draw(st.sampled_from(SLOTS)),) if live else (),
        held_bytes=size if live else 0,
        waiting=waits,
        wanted_for_s=draw(st.floats(0, 100)) if waits else None,
        in_flight=draw(st.integers(0, 2)) if live else 0,
        idle_s=draw(durations),
        loaded_for_s=draw(durations) if live else None,
        retry_in_s=draw(st.sampled_from([0.0, 0.0, 5.0])),
        rate_per_s=draw(st.floats(0, 2)),
        load_s=draw(durations),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    chosen = [draw(models(f"m{i}")) for i in range(draw(st.integers(0, 7)))]
    devices = []
    for slot in draw(st.sets(st.sampled_from(SLOTS))):
        held = sum(m.held_bytes for m in chosen if slot in m.device_ids)
        total = held + draw(st.integers(0, 6)) * GIB
        free = min(total - held, draw(st.integers(0, 6)) * GIB)
        view = DeviceView(slot, "local", DeviceKind.CPU, slot, total, free, draw(st.booleans()))
        devices.append(view)
    return Snapshot(models=tuple(chosen), devices=tuple(devices))


advice_lists = st.lists(
    st.builds(
        Decision,
        model=st.sampled_from([f"m{i}" for i in range(8)]),
        action=st.sampled_from(DecidedAction),
        reason=st.just("advice"),
    ),
    max_size=6,
)


def broken(snapshot: Snapshot, actions: list[Action]) -> list[str]:
    """The rules that these actions break."""
    by_name = {model.model: model for model in snapshot.models}
    by_slot = {view.device_id: view for view in snapshot.devices}
    loads = [action for action in actions if isinstance(action, Load)]
    unloads = [by_name[action.model] for action in actions if isinstance(action, Unload)]
    rules = {
        "ledger": any(
            sum(load.reserve_bytes for load in loads if slot in load.device_ids) > view.free_bytes
            for slot, view in by_slot.items()
        ),
        "reserves_what_is_needed": any(
            load.reserve_bytes != by_name[load.model].needed[DeviceKind.CPU] for load in loads
        ),
        "pinned": any(
            model.pinned and not (model.removed or model.stale_files) for model in unloads
        ),
        "single_flight": any(by_name[load.model].live for load in loads),
        "one_action_per_model": max(Counter(_what(a) for a in actions).values(), default=0) > 1,
        "one_command_per_device": _commands_per_device(actions, by_name) > 1,
        "busy_device": any(
            snapshot.is_busy(by_slot[slot]) for load in loads for slot in load.device_ids
        ),
        "stops_what_runs": any(
            model.state is not ModelState.LOADED
            and not (
                model.state is ModelState.LOADING and (model.removed or model.unload_requested)
            )
            for model in unloads
        ),
        "residency": any(
            (model.loaded_for_s or 99) < POLICY.min_residency_s
            and not (model.removed or model.stale_files or model.unload_requested)
            for model in unloads
        ),
        "loads_what_can_be_loaded": any(
            by_name[load.model].blocked or by_name[load.model].retry_in_s for load in loads
        ),
    }
    return [name for name, is_broken in rules.items() if is_broken]


def _what(action: Action) -> tuple[str, bool]:
    return action.model, isinstance(action, Queue)


def _commands_per_device(actions: list[Action], by_name: dict[str, ModelView]) -> int:
    slots: Counter[str] = Counter()
    for action in actions:
        if isinstance(action, Load):
            slots.update(action.device_ids)
        elif isinstance(action, Unload):
            slots.update(by_name[action.model].device_ids)
    return max(slots.values(), default=0)


@settings(max_examples=1000, deadline=None)
@given(snapshots(), advice_lists)
def test_no_rule_is_broken_by_any_snapshot_and_any_advice(
    snapshot: Snapshot, advice: list[Decision]
) -> None:
    assert broken(snapshot, decide(snapshot, advice, POLICY)) == []


@settings(max_examples=200, deadline=None)
@given(snapshots(), advice_lists)
def test_the_same_snapshot_gives_the_same_answer(
    snapshot: Snapshot, advice: list[Decision]
) -> None:
    assert decide(snapshot, advice, POLICY) == decide(snapshot, advice, POLICY)


@settings(max_examples=300, deadline=None)
@given(snapshots())
def test_everybody_who_waits_and_is_not_served_is_told_why(snapshot: Snapshot) -> None:
    actions = decide(snapshot, (), POLICY)
    answered = {action.model for action in actions if isinstance(action, Load | Queue)}
    for model in snapshot.models:
        startable = model.state in (ModelState.UNLOADED, ModelState.ERROR) and not model.retry_in_s
        if model.wanted_for_s is not None and startable:
            assert model.model in answered


# What each rule is for: the same snapshot, with the fact that the rule looks at taken away.
FREE, SHORT = device(total=9), device(free=1)
BLIND: list[tuple[str, Snapshot, Snapshot]] = [
    ("ledger", seen(device(free=1), waiting("a")), seen(FREE, waiting("a"))),
    (
        "pinned",
        seen(SHORT, loaded("b", pinned=True), waiting("a")),
        seen(SHORT, loaded("b"), waiting("a")),
    ),
    (
        "single_flight",
        seen(FREE, loaded("a", waiting=1, wanted_for_s=1)),
        seen(FREE, waiting("a")),
    ),
    (
        "busy_device",
        seen(replace(FREE, busy=True), waiting("a")),
        seen(FREE, waiting("a")),
    ),
    (
        "residency",
        seen(SHORT, loaded("b", loaded_for_s=1), waiting("a")),
        seen(SHORT, loaded("b"), waiting("a")),
    ),
    (
        "loads_what_can_be_loaded",
        seen(FREE, waiting("a", blocked="no runtime")),
        seen(FREE, waiting("a")),
    ),
]


@pytest.mark.parametrize(("rule", "truth", "blinded"), BLIND, ids=[b[0] for b in BLIND])
def test_properties_have_teeth(rule: str, truth: Snapshot, blinded: Snapshot) -> None:
    assert rule in broken(truth, decide(blinded, (), POLICY))


@dataclass
class World:
    """Models on devices, run by `decide` in steps of one second; requests last a while."""

    sizes: dict[str, int]
    totals: dict[str, int]
    policy: Policy
    load_s: int = 3
    state: dict[str, ModelState] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    waits: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, list[int]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    now: int = 0
    longest_wait: int = 0
    loads: int = 0

    def step(self, requests: list[str], lasting: int) -> None:
        """Requests arrive, engines go on, one decision is made and carried out."""
        self.now += 1
        for name in requests:
            self.waits.setdefault(name, []).append(self.now)
        for name in self.sizes:
            self._go_on(name, lasting)
        snapshot = self.snapshot()
        actions = decide(snapshot, (), self.policy)
        assert broken(snapshot, actions) == []
        for action in actions:
            self._carry_out(action)
        for slot, total in self.totals.items():
            assert sum(self.sizes[n] for n, at in self.where.items() if at == slot) <= total

    def snapshot(self) -> Snapshot:
        devices = tuple(
            DeviceView(
                slot,
                "local",
                DeviceKind.CPU,
                slot,
                total,
                total - sum(self.sizes[n] for n, at in self.where.items() if at == slot),
            )
            for slot, total in self.totals.items()
        )
        return Snapshot(models=tuple(self._view(name) for name in self.sizes), devices=devices)

    def _go_on(self, name: str, lasting: int) -> None:
        state, age = self.state.get(name), self.now - self.since.get(name, 0)
        self.ends[name] = [end for end in self.ends.get(name, []) if end > self.now]
        if state is ModelState.LOADING and age >= self.load_s:
            self._enter(name, ModelState.LOADED)
        elif state is ModelState.UNLOADING and not self.ends[name] and age >= 1:
            self._enter(name, ModelState.UNLOADED)
            del self.where[name]
        if self.state.get(name) is ModelState.LOADED and self.waits.get(name):
            self.longest_wait = max(self.longest_wait, self.now - min(self.waits[name]))
            self.ends[name] += [self.now + lasting for _ in self.waits.pop(name)]
        if self.ends[name]:
            self.used[name] = self.now

    def _view(self, name: str) -> ModelView:
        state = self.state.get(name, ModelState.UNLOADED)
        asked = self.waits.get(name, [])
        return ModelView(
            model=name,
            state=state,
            needed=dict.fromkeys(DeviceKind, self.sizes[name]),
            device_ids=(self.where[name],) if name in self.where else (),
            held_bytes=self.sizes[name] if name in self.where else 0,
            waiting=len(asked),
            wanted_for_s=float(self.now - min(asked)) if asked else None,
            in_flight=len(self.ends.get(name, [])),
            idle_s=float(self.now - self.used[name]) if name in self.used else None,
            loaded_for_s=float(self.now - self.since[name]) if state in ENGINE_STATES else None,
            load_s=float(self.load_s),
            rate_per_s=0.2 if self.ends.get(name) else 0.0,
        )

    def _carry_out(self, action: Action) -> None:
        if isinstance(action, Load):
            self.where[action.model] = action.device_ids[0]
            self._enter(action.model, ModelState.LOADING)
            self.loads += 1
        elif isinstance(action, Unload):
            self._enter(action.model, ModelState.UNLOADING)

    def _enter(self, name: str, state: ModelState) -> None:
        self.state[name] = state
        self.since[name] = self.now


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_request_is_served_within_a_bound_whatever_is_asked_for(data: st.DataObject) -> None:
    """Five models, memory for one to three of them, floods and single requests mixed."""
    sizes = {f"m{i}": data.draw(st.integers(1, 3)) for i in range(5)}
    totals = dict.fromkeys(SLOTS[: data.draw(st.integers(1, 2))], 3)
    world = World(sizes, totals, POLICY)
    asked = st.lists(st.sampled_from(list(sizes)), max_size=3)
    lasting = data.draw(st.integers(1, 6))
    for _ in range(60):
        world.step(data.draw(asked), lasting)
    for _ in range(300):
        world.step(["m0"], lasting)  # one model is asked for all the time
        if not any(name != "m0" for name in world.waits):
            break
    assert not [name for name in world.waits if name != "m0"]
    # Each of four others in turn: its age, a drain, a load, and the quantum of what it displaces.
    turn_s = POLICY.displace_after_s + lasting + world.load_s + POLICY.min_residency_s + 3
    assert world.longest_wait <= 5 * turn_s


def test_two_models_with_memory_for_one_take_turns_and_do_not_spin() -> None:
    world = World({"a": 3, "b": 3}, {SLOTS[0]: 3}, POLICY)
    for _ in range(600):
        world.step(["a", "b"], lasting=1)
    assert world.longest_wait < 60
    assert world.loads < 600 / (POLICY.min_residency_s + world.load_s)


def test_a_hundred_models_on_sixteen_devices_are_decided_in_milliseconds() -> None:
    import timeit

    places = [device(i, total=80, free=2) for i in range(16)]
    there = [loaded(f"l{i}", 20, on=i % 16, idle_s=float(i)) for i in range(64)]
    asked = [waiting(f"w{i}", 20, since_s=float(i)) for i in range(8)]
    snapshot = seen(*places, *there, *asked, *[cold(f"c{i}") for i in range(28)])
    best_s = min(timeit.repeat(lambda: decide(snapshot, (), POLICY), number=5, repeat=5)) / 5
    assert best_s < 0.02
