"""The figures that the registry keeps of engines' memory."""

from modelium.common import events as ev
from modelium.common.testing import a_device, a_memory_record, an_instance_record
from modelium.registry import remembering
from modelium.registry.handlers import on_agent_heartbeat
from modelium.registry.remembering import KEPT, remember

from . import facts
from .test_handlers import Registry, registry


def measured(system: Registry) -> list[ev.MemoryMeasured]:
    return [m for m in system.bus.published if isinstance(m, ev.MemoryMeasured)]


async def test_a_load_is_noted_before_its_record_is_announced() -> None:
    system = await registry(facts.a_loaded_record(0, state="unloaded"))
    await system.hear(facts.loaded(1))
    [figure] = await system.store.memory.all()
    assert (figure.memory_id, figure.loads) == ("f1:vllm-1.0:cpu", 1)
    kinds = [type(message) for message in system.bus.published]
    assert kinds == [ev.MemoryMeasured, ev.ModelStateChanged]
    assert measured(system)[0].record == figure


async def test_a_repeated_load_is_noted_and_told_once() -> None:
    system = await registry(facts.a_loaded_record(0, state="unloaded"))
    await system.hear(facts.loaded(1), facts.loaded(1))
    assert len(measured(system)) == 1


async def test_an_engine_that_runs_out_of_memory_is_noted_although_it_never_served() -> None:
    system = await registry(facts.a_loaded_record(1, state="loading"))
    await system.hear(facts.out_of_memory(1))
    [figure] = await system.store.memory.all()
    assert (figure.loads, figure.outgrown_bytes) == (0, 350)


async def test_a_heartbeat_shows_that_an_engine_has_grown_its_figure() -> None:
    system = await registry(facts.a_loaded_record(0, state="unloaded"))
    await system.hear(facts.loaded(1))
    grown = an_instance_record(reserved_bytes=400, resident_bytes=380, memory=facts.MEMORY)
    beat = ev.AgentHeartbeat(
        agent_id="local", launcher="process", devices=(a_device(),), instances=(grown,)
    )
    for _ in range(2):
        await on_agent_heartbeat(beat, **system.needs)
    assert [m.record.highest_bytes for m in measured(system)] == [250, 330]


async def test_an_engine_brought_back_by_a_heartbeat_brings_its_figure_back() -> None:
    system = await registry(facts.a_loaded_record(0, state="unloaded"))
    engine = an_instance_record(endpoint="http://e", resident_bytes=300, memory=facts.MEMORY)
    beat = ev.AgentHeartbeat(
        agent_id="local", launcher="process", devices=(a_device(),), instances=(engine,)
    )
    await on_agent_heartbeat(beat, **system.needs)
    assert [figure.highest_bytes for figure in await system.store.memory.all()] == [250]


async def test_the_figure_unchanged_for_longest_gives_way_when_there_are_too_many() -> None:
    system = await registry()
    for number in range(KEPT):
        await system.clock.advance(1)
        await system.store.memory.save(a_memory_record(fingerprint=f"old-{number}"))
    await remember(facts.loaded(), **system.needs)
    kept = {figure.fingerprint for figure in await system.store.memory.all()}
    assert len(kept) == remembering.KEPT
    assert "f1" in kept
    assert "old-0" not in kept
