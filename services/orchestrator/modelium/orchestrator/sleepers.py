"""How each engine can sleep, and how much host memory is left for it. Pure.

An agent says how much host memory its sleeping engines may take; none: they cannot sleep. What an
engine takes there is counted from the command to sleep until it is awake or is told to end.
"""

from collections import defaultdict
from collections.abc import Mapping

from modelium.common.descriptor import POOLING_TASKS
from modelium.common.events import SleepModel
from modelium.common.records import DeviceKind, ModelRecord, ModelState
from modelium.core.memory import weight_bytes
from modelium.core.model_host import is_hosted
from modelium.core.policy import MemoryPolicy
from modelium.core.sleep_times import measured, prior
from modelium.core.snapshot import HostView, SleepView
from modelium.orchestrator.engines import Engine
from modelium.orchestrator.placement_state import PlacementState


def sleep_views(
    record: ModelRecord, budget_bytes: int, deepest: int, policy: MemoryPolicy
) -> tuple[SleepView, ...]:
    """The ways in which the model's engine can sleep; `budget_bytes` is its agent's."""
    if obstacle(record, budget_bytes, deepest):
        return ()
    return tuple(_view(record, level, policy) for level in range(1, deepest + 1))


def obstacle(record: ModelRecord, budget_bytes: int, deepest: int) -> str:
    """Why the model's engine can never sleep as things are; empty: it can."""
    about = record.descriptor
    if about is None:
        return "its files are not analysed"
    if about.task in POOLING_TASKS:
        return f"models for {about.task} keep most of their memory when they sleep"
    if is_hosted(about):
        return "it is served by a model host, which cannot sleep"
    if not budget_bytes:
        return "engines of its agent cannot sleep: that takes a GPU and vllm.sleep_mode"
    if record.sleepless:
        return f"it did not sleep as it should: {record.sleepless}"
    if record.copies:
        return "it has several engines, of which one too many ends"
    return "" if deepest else "orchestration.policies.deepest_sleep is 0"


def obstacle_now(state: PlacementState, model: str, deepest: int, now_s: float) -> str | None:
    """Why it cannot be put to sleep now, or need not be; None: there is no such model."""
    record = state.records.get(model)
    if record is None:
        return None
    if record.state is ModelState.SLEEPING:
        return ""
    if record.state is not ModelState.LOADED:
        return f"it is {record.state}, and only a loaded model can be put to sleep"
    beats = {beat.agent_id: beat for beat in state.agents.alive(now_s)}
    beat = beats.get(record.agent_id or "")
    return obstacle(record, beat.sleep_memory_bytes if beat else 0, deepest)


def asleep_view(record: ModelRecord, state: ModelState, policy: MemoryPolicy) -> SleepView | None:
    """The way in which it sleeps now; None: it does not."""
    if state is not ModelState.SLEEPING or not record.sleep_level or record.descriptor is None:
        return None
    return _view(record, record.sleep_level, policy)


def hosts(
    state: PlacementState, mine: Mapping[str, Engine], policy: MemoryPolicy, now_s: float
) -> tuple[HostView, ...]:
    """The host memory of every agent alive whose engines can sleep."""
    taken: defaultdict[str, int] = defaultdict(int)
    for name, engine in mine.items():
        record = state.records[name]
        level = _level(state, record, engine)
        if level == 1 and record.descriptor is not None:
            taken[engine.agent_id] += _view(record, level, policy).host_bytes
    return tuple(
        HostView(
            agent_id=beat.agent_id,
            free_bytes=max(0, beat.sleep_memory_bytes - taken[beat.agent_id]),
        )
        for beat in state.agents.alive(now_s)
        if beat.sleep_memory_bytes
    )


def _level(state: PlacementState, record: ModelRecord, engine: Engine) -> int:
    """At which it sleeps, or is on its way to; while it wakes its memory is still pinned."""
    sent = state.sent.get(record.model)
    if sent and isinstance(sent.command, SleepModel):
        return sent.command.level
    if engine.state is ModelState.UNLOADING:
        return state.falling_asleep.get(engine.instance_id, 0)
    wakes_or_sleeps = engine.state in (ModelState.SLEEPING, ModelState.LOADING)
    return record.sleep_level if wakes_or_sleeps else 0


def _view(record: ModelRecord, level: int, policy: MemoryPolicy) -> SleepView:
    assert record.descriptor is not None  # the callers have looked
    view = prior(level, weight_bytes(record.descriptor, DeviceKind.CUDA, policy))
    if level != record.slept_at_level:
        return measured(view, sleep_s=None, wake_s=None, asleep_bytes=record.asleep_bytes)
    return measured(
        view,
        sleep_s=record.sleep_s,
        wake_s=record.wake_s,
        asleep_bytes=record.asleep_bytes,
    )
