"""A fleet as an orchestrator sees it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from modelium.common.records import Device, DeviceKind, ModelState
from modelium.core.ledger import Holding, free_bytes
from modelium.core.snapshot import DeviceView, HostView, ModelView
from tests.properties.fleet_parts import Engine, Model, Place

KIND = DeviceKind.CUDA


def device_view(name: str, place: Place, engines: Iterable[Engine]) -> DeviceView:
    """By its ledger and by what its driver says."""
    mine = [engine for engine in engines if name in engine.devices]
    held = [
        Holding(e.model, name, e.holds, e.resident, starting=e.state is ModelState.LOADING)
        for e in mine
    ]
    shown = place.total - place.outside + place.lie - sum(e.resident for e in mine)
    reported = Device(
        device_id=name,
        kind=KIND,
        name=name,
        total_bytes=place.total,
        free_bytes=max(0, shown),
    )
    return DeviceView(name, place.agent, KIND, name, place.total, free_bytes(reported, held))


def host_view(agent: str, total: int, taken: int) -> HostView:
    """The memory in which its engines sleep."""
    return HostView(agent, max(0, total - taken))


def model_view(
    name: str, model: Model, engine: Engine | None, now_s: int, hosts: Mapping[str, int]
) -> ModelView:
    """With what is known of its engine, if it has one; `hosts` is memory by device."""
    seen = ModelView(
        model=name,
        state=ModelState.UNLOADED,
        needed={KIND: model.size},
        spans=model.parts,
        pinned=model.pinned,
        waiting=len(model.waits_s),
        wanted_for_s=float(now_s - model.waits_s[0]) if model.waits_s else None,
        idle_s=None if model.last_s is None else float(now_s - model.last_s),
        retry_in_s=float(max(0, model.retry_s - now_s)),
        load_s=model.load_s,
        keep_alive_s=model.keep_alive_s,
    )
    if engine is None:
        return seen
    serves_s = engine.loaded_s if engine.state is ModelState.LOADED else None
    return replace(
        seen,
        state=engine.state,
        device_ids=engine.devices,
        held_bytes=engine.holds,
        in_flight=len(engine.ends_s),
        loaded_for_s=None if serves_s is None else float(now_s - serves_s),
        stale_files=engine.files != model.files,
        unload_requested=model.unload_asked,
        sleep_requested=model.sleep_asked,
        sleeps=model.sleeps if hosts[engine.devices[0]] else (),
        asleep=engine.sleep if engine.state is ModelState.SLEEPING else None,
    )
