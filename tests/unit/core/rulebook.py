"""The rules that no actions may break, as a check."""

from collections import Counter

from modelium.common.records import DeviceKind, ModelState
from modelium.core.actions import Action, Load, Queue, Sleep, Unload, Wake
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from tests.unit.core.places import POLICY


def broken(snapshot: Snapshot, actions: list[Action]) -> list[str]:
    """The rules that these actions break."""
    by_name = {model.model: model for model in snapshot.models}
    by_slot = {view.device_id: view for view in snapshot.devices}
    loads = [action for action in actions if isinstance(action, Load)]
    stops = [action for action in actions if isinstance(action, Unload | Sleep)]
    unloads = [by_name[action.model] for action in stops]
    sleepers = [action for action in actions if isinstance(action, Sleep)]
    wakes = [by_name[action.model] for action in actions if isinstance(action, Wake)]
    rules = {
        "ledger": any(
            sum(load.reserve_bytes for load in loads if slot in load.device_ids)
            + sum(model.more_bytes(view) for model in wakes if slot in model.device_ids)
            > view.free_bytes
            for slot, view in by_slot.items()
        ),
        "host_memory": sum(_host_bytes(by_name[s.model], s.level) for s in sleepers)
        > sum(host.free_bytes for host in snapshot.hosts),
        "sleeps_if_it_can": any(
            by_name[s.model].state is not ModelState.LOADED
            or s.level not in {way.level for way in by_name[s.model].sleeps}
            for s in sleepers
        ),
        "wakes_what_sleeps": any(
            model.state is not ModelState.SLEEPING or model.removed or model.stale_files
            for model in wakes
        ),
        "reserves_what_is_needed": any(
            load.reserve_bytes != by_name[load.model].needed[DeviceKind.CPU] for load in loads
        ),
        "pinned": any(
            model.pinned and not (model.removed or model.stale_files) for model in unloads
        ),
        "single_flight": any(by_name[load.model].live for load in loads if not load.is_copy),
        "replaces_old_files": not all(_is_old(by_name[x.model]) for x in loads if x.is_copy),
        "one_action_per_model": max(Counter(_what(a) for a in actions).values(), default=0) > 1,
        "one_command_per_device": _commands_per_device(actions, by_name) > 1,
        "busy_device": any(
            _is_busy(snapshot, by_slot[slot])
            for slots in [*(x.device_ids for x in loads), *(x.device_ids for x in wakes)]
            for slot in slots
        ),
        "stops_what_runs": any(
            model.state not in (ModelState.LOADED, ModelState.SLEEPING)
            and not (model.state is ModelState.LOADING and _may_be_cancelled(model))
            for model in unloads
        ),
        "residency": any(
            (model.loaded_for_s or 99) < POLICY.min_residency_s and not _may_go_early(model)
            for model in unloads
        ),
        "loads_what_can_be_loaded": any(
            _cannot_be_loaded(by_name[load.model], load) for load in loads
        ),
    }
    return [name for name, is_broken in rules.items() if is_broken]


def _cannot_be_loaded(model: ModelView, load: Load) -> bool:
    return bool(model.blocked) or (model.retry_in_s > 0 and not load.is_copy)


def _may_go_early(model: ModelView) -> bool:
    asked = model.unload_requested or model.sleep_requested or model.keep_alive_s is not None
    return model.removed or model.stale_files or asked


def _is_old(model: ModelView) -> bool:
    return model.stale_files and model.state is ModelState.LOADED


def _host_bytes(model: ModelView, level: int) -> int:
    return min((way.host_bytes for way in model.sleeps if way.level == level), default=0)


def _what(action: Action) -> tuple[str, bool]:
    return action.model, isinstance(action, Queue)


def _commands_per_device(actions: list[Action], by_name: dict[str, ModelView]) -> int:
    slots: Counter[str] = Counter()
    for action in actions:
        if isinstance(action, Load):
            slots.update(action.device_ids)
        elif not isinstance(action, Queue):
            slots.update(by_name[action.model].device_ids)
    return max(slots.values(), default=0)


def _is_busy(snapshot: Snapshot, device: DeviceView) -> bool:
    changing = {ModelState.LOADING, ModelState.UNLOADING}
    return device.busy or any(
        model.state in changing and device.device_id in model.device_ids
        for model in snapshot.models
    )


def _may_be_cancelled(model: ModelView) -> bool:
    for_nobody = model.loaded_ahead_s is not None and not model.is_wanted
    return model.removed or model.unload_requested or for_nobody
