"""The registry on a bus and a store in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import pytest

from modelium.common import events as ev
from modelium.common.bus import bind
from modelium.common.errors import Conflict, RetryLater
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.records import InstanceState, ModelRecord, ModelState, Record
from modelium.common.store import Records
from modelium.common.testing import (
    FakeClock,
    InMemoryBus,
    InMemoryStore,
    a_device,
    a_model_record,
    an_instance_record,
    in_memory_store,
)
from modelium.registry.handlers import (
    AGENT_TTL_S,
    EVENT_HANDLERS,
    LIVE_HANDLERS,
    on_agent_heartbeat,
    on_decision_made,
    on_event,
)

from . import facts

S = ModelState
R = TypeVar("R", bound=Record)


class Registry:
    """The handlers with what they need, all in memory."""

    def __init__(self, store: InMemoryStore, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.bus = InMemoryBus(clock=clock)
        self.needs = {"store": store, "bus": self.bus, "clock": clock}

    async def hear(self, *events: ev.Message) -> None:
        for event in events:
            await on_event(event, **self.needs)

    @property
    def announced(self) -> list[ev.ModelStateChanged]:
        return [m for m in self.bus.published if isinstance(m, ev.ModelStateChanged)]

    async def record(self) -> ModelRecord:
        record = await self.store.models.get("qwen")
        assert record is not None
        return record


async def registry(*records: ModelRecord) -> Registry:
    clock = FakeClock()
    return Registry(await in_memory_store(*records, clock=clock), clock)


@asynccontextmanager
async def running(system: Registry) -> AsyncIterator[None]:
    """Consume and follow as `__main__` does."""
    async with asyncio.TaskGroup() as tasks:
        works = (
            system.bus.consume("registry", bind(EVENT_HANDLERS, **system.needs)),
            system.bus.follow(bind(LIVE_HANDLERS, **system.needs)),
        )
        started = [tasks.create_task(work) for work in works]
        yield
        await system.bus.settled()
        for task in started:
            task.cancel()


async def test_a_model_from_its_discovery_to_being_served_and_back() -> None:
    system = await registry()
    async with running(system):
        for event in (
            facts.discovered(),
            facts.analyzing(),
            facts.analyzed(),
            facts.loading(),
            facts.loaded(),
            facts.unloading(),
            facts.unloaded(),
            facts.removed(),
        ):
            await system.bus.publish(event)
    states = [(m.previous, m.record and m.record.state) for m in system.announced]
    assert states == [
        (None, S.DISCOVERED),
        (S.DISCOVERED, S.ANALYZING),
        (S.ANALYZING, S.UNLOADED),
        (S.UNLOADED, S.LOADING),
        (S.LOADING, S.LOADED),
        (S.LOADED, S.UNLOADING),
        (S.UNLOADING, S.UNLOADED),
        (S.UNLOADED, None),
    ]
    assert await system.store.models.all() == []
    assert await system.store.instances.all() == []


async def test_a_second_delivery_changes_nothing_but_is_announced_again() -> None:
    system = await registry()
    event = facts.discovered()
    await system.hear(event, event)
    assert (await system.record()).version == 1
    assert [m.record for m in system.announced] == [await system.record()] * 2


async def test_a_forgotten_model_is_announced_again_when_its_removal_is_repeated() -> None:
    system = await registry(a_model_record())
    await system.hear(facts.removed(), facts.removed())
    assert [m.record for m in system.announced] == [None, None]


async def test_an_engine_of_a_model_the_store_has_lost_does_not_make_others_forget_it() -> None:
    system = await registry()
    await system.hear(facts.loaded(), facts.unloaded(), facts.analyzed())
    assert system.announced == []


async def test_a_path_alone_is_left_to_the_watcher() -> None:
    system = await registry()
    await system.hear(ev.ModelDiscovered(path="/models/qwen"))
    assert system.announced == []


async def test_late_runtime_loaded_of_an_old_generation_is_ignored() -> None:
    system = await registry(a_model_record(generation=2, ended_generation=1))
    await system.hear(facts.loaded(1))
    assert (await system.record()).state == S.UNLOADED
    assert await system.store.instances.all() == []


async def test_the_engine_has_a_record_of_its_own_while_it_lives() -> None:
    system = await registry(a_model_record())
    await system.hear(facts.loading())
    loading = await system.store.instances.get("qwen.1")
    await system.hear(facts.loaded())
    serving = await system.store.instances.get("qwen.1")
    assert loading is not None
    assert serving is not None
    assert (loading.state, serving.state) == (InstanceState.LOADING, InstanceState.LOADED)
    assert serving.endpoint == "http://127.0.0.1:9001"
    await system.hear(facts.failed())
    assert await system.store.instances.all() == []


async def test_engines_of_one_model_have_records_of_their_own_while_they_live() -> None:
    system = await registry(a_model_record())
    await system.hear(facts.loading(1), facts.loaded(1), facts.loading(2))
    assert [i.instance_id for i in await system.store.instances.all()] == ["qwen.1", "qwen.2"]
    await system.hear(facts.loaded(2), facts.failed(1))
    assert [i.instance_id for i in await system.store.instances.all()] == ["qwen.2"]


async def test_an_event_that_the_lifecycle_forbids_becomes_a_dead_letter() -> None:
    system = await registry(facts.a_loaded_record(state=S.LOADING))
    async with running(system):
        await system.bus.publish(facts.sleeping())
    assert [letter.subject for letter in system.bus.dead_letters] == ["dead.runtime.sleeping"]
    assert "not allowed in state loading" in system.bus.dead_letters[0].reason


class Contended(Generic[R]):
    """Records of a store that somebody else saves first, `times` times."""

    def __init__(self, records: Records[R], times: int) -> None:
        self._records = records
        self.times = times
        self.all = records.all
        self.delete = records.delete

    async def get(self, record_id: str) -> R | None:
        return await self._records.get(record_id)

    async def save(self, record: R) -> R:
        if self.times:
            self.times -= 1
            raise Conflict("somebody's", record.version)
        return await self._records.save(record)


async def test_a_record_saved_by_somebody_else_in_between_is_read_again() -> None:
    system = await registry(a_model_record())
    system.store.models = Contended(system.store.models, 2)
    await system.hear(facts.loading())
    assert (await system.record()).state == S.LOADING


async def test_a_record_that_others_keep_saving_is_tried_later() -> None:
    system = await registry(a_model_record())
    system.store.models = Contended(system.store.models, 99)
    with pytest.raises(RetryLater):
        await system.hear(facts.loading())
    assert system.announced == []


async def test_an_engine_saved_by_somebody_else_in_between_does_not_keep_a_change_unheard() -> None:
    """A heartbeat and a fact met there: gateways did not hear that the model was loaded."""
    system = await registry(facts.a_loaded_record(state=S.LOADING))
    system.store.instances = Contended(system.store.instances, 2)
    await system.hear(facts.loaded())
    assert [m.record and m.record.state for m in system.announced] == [S.LOADED]
    assert [i.state for i in await system.store.instances.all()] == [InstanceState.LOADED]


async def test_engines_that_others_keep_saving_are_tried_later() -> None:
    system = await registry(facts.a_loaded_record(state=S.LOADING))
    system.store.instances = Contended(system.store.instances, 99)
    with pytest.raises(RetryLater):
        await system.hear(facts.loaded())


def decided(*decisions: Decision) -> ev.DecisionMade:
    return ev.DecisionMade(
        origin="orchestrator",
        source=DecisionSource.RULES,
        inputs_digest="d",
        decisions=decisions,
    )


async def test_a_decision_to_queue_shows_why_and_is_announced_once() -> None:
    system = await registry(a_model_record())
    wait = Decision(model="qwen", action=DecidedAction.QUEUE, reason="waits for llama to drain")
    for _ in range(2):
        await on_decision_made(decided(wait), **system.needs)
    assert (await system.record()).reason == "waits for llama to drain"
    assert len(system.announced) == 1


async def test_advice_to_queue_has_nobody_refused() -> None:
    system = await registry(a_model_record())
    refuse = Decision(model="qwen", action=DecidedAction.QUEUE, reason="no", refused=True)
    advice = decided(refuse).model_copy(update={"origin": "brain"})
    await on_decision_made(advice, **system.needs)
    assert not (await system.record()).refused
    assert system.announced == []


def heartbeat(system: Registry, **engine: object) -> ev.AgentHeartbeat:
    instances = (an_instance_record(**engine),) if engine else ()
    return ev.AgentHeartbeat(
        agent_id="local",
        launcher="process",
        devices=(a_device(),),
        instances=instances,
        occurred_at=system.clock.now(),
    )


async def test_an_agent_is_shown_until_its_heartbeat_stops() -> None:
    system = await registry()
    await on_agent_heartbeat(heartbeat(system), **system.needs)
    agent = await system.store.agents.get("local")
    assert agent is not None
    assert agent.devices == (a_device(),)
    await system.clock.advance(AGENT_TTL_S + 1)
    assert await system.store.agents.get("local") is None


async def test_a_heartbeat_brings_back_an_engine_that_the_store_has_lost() -> None:
    system = await registry(a_model_record())
    await system.clock.advance(1)
    for _ in range(3):
        beat = heartbeat(system, generation=4, instance_id="qwen.4")
        await on_agent_heartbeat(beat, **system.needs)
        await system.clock.advance(1)
    record = await system.record()
    assert (record.state, record.generation, record.version) == (S.LOADED, 4, 2)
    assert [i.instance_id for i in await system.store.instances.all()] == ["qwen.4"]
    assert len(system.announced) == 1
