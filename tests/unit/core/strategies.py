"""Any snapshot and any advice."""

from hypothesis import strategies as st

from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import DeviceKind, ModelState
from modelium.core.snapshot import DeviceView, HostView, ModelView, SleepView, Snapshot
from tests.unit.core.places import GIB

SLOTS = ("cpu-local-0", "cpu-local-1", "cpu-local-2")
ENGINE_STATES = (ModelState.LOADING, ModelState.LOADED, ModelState.UNLOADING)
LIVE_STATES = (*ENGINE_STATES, ModelState.SLEEPING)
IDLE_STATES = (ModelState.UNLOADED, ModelState.ERROR, ModelState.REJECTED, ModelState.ANALYZING)

sleeps = st.builds(
    SleepView,
    level=st.sampled_from([1, 2]),
    sleep_s=st.floats(0, 20),
    wake_s=st.floats(0, 20),
    asleep_bytes=st.just(GIB // 2),
    host_bytes=st.integers(0, 4).map(lambda gib: gib * GIB),
)
durations = st.one_of(st.none(), st.floats(0, 200))


@st.composite
def models(draw: st.DrawFn, name: str) -> ModelView:
    live = draw(st.booleans())
    waits = draw(st.integers(0, 3))
    size = draw(st.integers(1, 6)) * GIB
    state = draw(st.sampled_from(LIVE_STATES if live else IDLE_STATES))
    asleep = draw(sleeps) if state is ModelState.SLEEPING else None
    return ModelView(
        model=name,
        state=state,
        needed=dict.fromkeys(DeviceKind, size),
        blocked=draw(st.sampled_from(["", "", "", "no runtime"])),
        pinned=draw(st.booleans()),
        removed=draw(st.sampled_from([False, False, True])),
        stale_files=draw(st.sampled_from([False, False, True])),
        unload_requested=draw(st.sampled_from([False, False, True])),
        sleep_requested=draw(st.sampled_from([False, False, True])),
        loaded_ahead_s=draw(durations),
        device_ids=(draw(st.sampled_from(SLOTS)),) if live else (),
        held_bytes=asleep.asleep_bytes if asleep else size if live else 0,
        waiting=waits,
        wanted_for_s=draw(st.floats(0, 100)) if waits else None,
        in_flight=draw(st.integers(0, 2)) if live and not asleep else 0,
        idle_s=draw(durations),
        loaded_for_s=draw(durations) if live else None,
        retry_in_s=draw(st.sampled_from([0.0, 0.0, 5.0])),
        rate_per_s=draw(st.floats(0, 2)),
        load_s=draw(durations),
        sleeps=tuple(draw(st.lists(sleeps, max_size=2))) if live else (),
        asleep=asleep,
        keep_alive_s=draw(st.sampled_from([None, None, -1.0, 0.0, 20.0])),
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
    host = HostView("local", draw(st.integers(0, 8)) * GIB)
    return Snapshot(models=tuple(chosen), devices=tuple(devices), hosts=(host,))


advice_lists = st.lists(
    st.builds(
        Decision,
        model=st.sampled_from([f"m{i}" for i in range(8)]),
        action=st.sampled_from(DecidedAction),
        reason=st.just("advice"),
    ),
    max_size=6,
)
