"""Saves what an event makes of a record, and announces it; decides nothing.

A record is announced after it is saved and before the event is acknowledged, so a crash in between
is healed by the redelivery, which announces it again. Readers may therefore hear of one version
more than once.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import structlog

from modelium.common import events as ev
from modelium.common.advice import AdvisorRecord
from modelium.common.bus import Bus, Handler
from modelium.common.clock import Clock
from modelium.common.errors import Conflict, RetryLater
from modelium.common.origins import BY_ORCHESTRATOR
from modelium.common.records import AgentRecord, ModelRecord, ModelState
from modelium.common.store import Store
from modelium.registry.instances import adopted, instances_of, may_adopt
from modelium.registry.memory import has_grown
from modelium.registry.news import Event, is_news
from modelium.registry.past import keep, keep_judgement, keep_load
from modelium.registry.planning import after_plan
from modelium.registry.projection import after_decision, apply
from modelium.registry.remembering import remember

AGENT_TTL_S: Final = 15.0
"""An agent whose heartbeat is not heard for so long is gone."""
_ATTEMPTS: Final = 5

Change = Callable[[ModelRecord | None], ModelRecord | None]
"""What becomes of a record."""

log = structlog.get_logger()


async def on_event(event: Event, *, store: Store, bus: Bus, clock: Clock) -> None:
    """Apply a fact or a wish about a model; a repeat or a stale one only announces.

    An engine of a model without a record proves a lost store, not that the model is gone: nothing
    is announced, so that gateways go on routing to it.
    """
    if event.model is None:
        return  # the watcher publishes it again with the model's name

    def after(record: ModelRecord | None) -> ModelRecord | None:
        return apply(record, event, clock.now()) if is_news(record, event) else record

    if isinstance(event, ev.RuntimeLoaded | ev.RuntimeFailed):
        # Before the record: who plans the next load must not miss it.
        await remember(event, store=store, bus=bus, clock=clock)
        await keep_load(event, store=store)
    before, record = await _change(store, event.model, after)
    if isinstance(event, ev.RuntimeEvent):
        earlier = before.instance_id if before else None
        await _keep_instance(store, record, {event.instance_id, earlier})
    if before or record or isinstance(event, ev.ModelRemoved):
        await _announce(bus, clock, event.model, before, record)


async def on_decision_made(event: ev.DecisionMade, *, store: Store, bus: Bus, clock: Clock) -> None:
    """Keep it, and show why a model waits; announced only when the reason is another: no echo.

    Only the orchestrator knows that: who merely advises must not have anybody refused.
    """
    await keep(event, store=store)
    for model, change in _changes(event):
        before, record = await _change(store, model, change)
        if record is not before:
            await _announce(bus, clock, model, before, record)


def _changes(event: ev.DecisionMade) -> Iterator[tuple[str, Change]]:
    if event.origin == BY_ORCHESTRATOR:
        for decision in event.decisions:
            yield decision.model, partial(after_decision, decision)
    elif event.plan is not None:
        yield event.plan.model, partial(after_plan, event)


async def on_agent_heartbeat(
    event: ev.AgentHeartbeat, *, store: Store, bus: Bus, clock: Clock
) -> None:
    """Keep the agent's record alive, and show engines that no record shows."""
    agent = AgentRecord(
        agent_id=event.agent_id,
        launcher=event.launcher,
        devices=event.devices,
        instances=tuple(instance.instance_id for instance in event.instances),
    )
    await store.agents.renew(agent, ttl_s=AGENT_TTL_S)
    for instance in filter(may_adopt, event.instances):
        record = await store.models.get(instance.model)
        if record is not None and has_grown(instance, record.resident_bytes):
            await remember(instance, store=store, bus=bus, clock=clock)
        fact = adopted(record, instance, seen_at=event.occurred_at)
        if fact is not None:
            log.info("instance.adopted", model=fact.model, instance_id=fact.instance_id)
            await on_event(fact, store=store, bus=bus, clock=clock)


async def _change(
    store: Store, model: str, after: Change
) -> tuple[ModelRecord | None, ModelRecord | None]:
    """Save what `after` makes of the record, and return it before and after.

    Raises:
        RetryLater: somebody else kept saving in between.
    """
    for _ in range(_ATTEMPTS):
        before = await store.models.get(model)
        wanted = after(before)
        try:
            return before, await _save(store, model, before, wanted)
        except Conflict:
            continue
    raise RetryLater(f"the record of {model} changes all the time")


async def _save(
    store: Store, model: str, before: ModelRecord | None, wanted: ModelRecord | None
) -> ModelRecord | None:
    if wanted == before:
        return before
    if wanted is None:
        if before is not None:
            await store.models.delete(model, version=before.version)
        return None
    return await store.models.save(wanted)


async def _keep_instance(
    store: Store, record: ModelRecord | None, mentioned: set[str | None]
) -> None:
    """Let the store show the record's engines, and none of the others `mentioned`.

    Raises:
        RetryLater: somebody else kept saving in between.
    """
    for _ in range(_ATTEMPTS):
        try:
            await _show_instance(store, record, mentioned)
        except Conflict:
            # A heartbeat and a fact about the same engine: what the model's record says now counts.
            record = await store.models.get(record.model) if record else None
        else:
            return
    raise RetryLater(f"the engines {mentioned} change all the time")


async def _show_instance(
    store: Store, record: ModelRecord | None, mentioned: set[str | None]
) -> None:
    engines = instances_of(record)
    for instance_id in mentioned - {None, *(engine.instance_id for engine in engines)}:
        await store.instances.delete(str(instance_id))
    for wanted in engines:
        shown = await store.instances.get(wanted.instance_id)
        if shown is not None:
            stamp = {"version": shown.version, "updated_at": shown.updated_at}
            wanted = wanted.model_copy(update=stamp)
        if wanted != shown:
            await store.instances.save(wanted)


async def _announce(
    bus: Bus, clock: Clock, model: str, before: ModelRecord | None, record: ModelRecord | None
) -> None:
    previous = before.state if before else None
    await bus.publish(
        ev.ModelStateChanged(model=model, previous=previous, record=record, occurred_at=clock.now())
    )
    if record != before:
        _log_change(model, previous, record)


def _log_change(model: str, previous: ModelState | None, record: ModelRecord | None) -> None:
    if record is None:
        log.info("record.forgotten", model=model, previous=previous)
        return
    log.info(
        "record.saved",
        model=model,
        previous=previous,
        state=record.state,
        generation=record.generation,
        reason=record.reason,
    )


async def on_advisor_changed(event: ev.AdvisorChanged, *, store: Store) -> None:
    """Keep how it stands, so that a brain that starts again goes on from there."""
    for _ in range(_ATTEMPTS):
        known = await store.advisors.get(event.advisor)
        version = known.version if known else 0
        try:
            await store.advisors.save(
                AdvisorRecord(version=version, advisor=event.advisor, standing=event.standing)
            )
        except Conflict:
            continue
        return
    raise RetryLater(f"how {event.advisor} stands changes all the time")


async def on_decision_judged(event: ev.DecisionJudged, *, store: Store) -> None:
    """Keep what came of advice."""
    await keep_judgement(event, store=store)


EVENT_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    ev.ModelDiscovered: on_event,
    ev.ModelAnalyzing: on_event,
    ev.ModelAnalyzed: on_event,
    ev.ModelRejected: on_event,
    ev.ModelRemoved: on_event,
    ev.ModelPinRequested: on_event,
    ev.ModelRetryRequested: on_event,
    ev.RuntimeLoading: on_event,
    ev.RuntimeLoaded: on_event,
    ev.RuntimeSleeping: on_event,
    ev.RuntimeUnloading: on_event,
    ev.RuntimeUnloaded: on_event,
    ev.RuntimeFailed: on_event,
    ev.DecisionMade: on_decision_made,
    ev.DecisionJudged: on_decision_judged,
    ev.AdvisorChanged: on_advisor_changed,
}
LIVE_HANDLERS: Final[dict[type[ev.Message], Handler]] = {ev.AgentHeartbeat: on_agent_heartbeat}
HANDLERS: Final[dict[type[ev.Message], Handler]] = {**EVENT_HANDLERS, **LIVE_HANDLERS}
