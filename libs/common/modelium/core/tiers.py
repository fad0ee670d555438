"""Whether an engine that gives way goes to sleep or away, and who may sleep in host memory.

Asleep it keeps a part of its devices, and at level 1 its weights in host memory; it is back after
`wake_s` instead of `load_s`. Going to sleep takes time too, in which somebody waits: of all ways,
the one is taken that costs least waiting, now and at the next use. Host memory goes to those that
save most waiting: seconds saved at the next use for each second until then. (Dividing by bytes too,
as for a knapsack, is no better: `make bench-policy`.)
"""

from collections.abc import Iterable
from dataclasses import replace

from modelium.common.records import ModelState
from modelium.core.actions import Cause, Command, Sleep, Unload
from modelium.core.books import Books
from modelium.core.policy import Policy
from modelium.core.snapshot import ModelView, SleepView
from modelium.core.victims import load_s, sleep_costs, ways_to_sleep


def frees_bytes(books: Books, model: ModelView, policy: Policy) -> int:
    """What each of its devices gets back when it gives way, by sleeping where that is better."""
    if model.copy_id:
        return model.held_bytes
    known = books.frees.get(model.model)
    if known is None:
        ways = _ways(books, model, policy)
        known = model.held_bytes - (ways[0].asleep_bytes if ways else 0)
        books.frees[model.model] = known
    return known


def overslept(books: Books, policy: Policy) -> list[Unload]:
    """Engines that sleep, and are not worth any more what they keep of their devices."""
    stopped = []
    for model in (model for asleep in books.asleep.values() for model in asleep):
        pays = model.asleep is None or _pays(books, model, model.asleep, policy)
        spared = _is_to_wake(model) or model.sleep_requested
        if not spared and not pays and books.can_stop(model):
            books.command(model.device_ids, model)
            reason = "it is used too seldom to be kept asleep"
            stopped.append(Unload(model.model, reason, cause=Cause.IDLE))
    return stopped


def departure(
    books: Books, leaving: ModelView, reason: str, policy: Policy, cause: Cause = Cause.ROOM
) -> Command:
    """What makes the engine give way, or first makes room in host memory for it to sleep.

    The devices it works on are noted in the books.
    """
    ways = _ways(books, leaving, policy)
    action = _first_that_works(books, leaving, ways, reason, policy)
    return _noted(books, leaving, action or Unload(leaving.model, reason), cause)


def asked_to_sleep(books: Books, policy: Policy) -> list[Command]:
    """Engines that an operator wants asleep, whether it pays or not; they stay if there is no way.

    Not those that are always loaded: they would be woken at once.
    """
    told: list[Command] = []
    for model in books.snapshot.models:
        wanted = model.sleep_requested and not model.pinned and not _leaves(model)
        if wanted and model.state is ModelState.LOADED and books.can_stop(model):
            ways = [way for _, way in sleep_costs(model)]
            action = _first_that_works(books, model, ways, "an operator asked for it", policy)
            told += [_noted(books, model, action, Cause.OPERATOR)] if action else []
    return told


def _first_that_works(
    books: Books, leaving: ModelView, ways: Iterable[SleepView], reason: str, policy: Policy
) -> Sleep | Unload | None:
    actions = (_sleep(books, leaving, way, reason, policy) for way in ways)
    return next((action for action in actions if action), None)


def _noted(books: Books, leaving: ModelView, action: Sleep | Unload, cause: Cause) -> Command:
    """`cause` is why it leaves; another may have to go first, to make room."""
    if action.model == leaving.model:
        action = replace(action, cause=cause)
    told = books.snapshot.model(action.model) or leaving
    books.command(told.device_ids, told)
    return action


def _leaves(model: ModelView) -> bool:
    return model.removed or model.stale_files or model.unload_requested


def _ways(books: Books, model: ModelView, policy: Policy) -> list[SleepView]:
    """The ways to sleep that are worth it, the best first."""
    if model.state is not ModelState.LOADED or _leaves(model):
        return []
    return [way for way in ways_to_sleep(model, policy) if _pays(books, model, way, policy)]


def _pays(books: Books, model: ModelView, way: SleepView, policy: Policy) -> bool:
    """Whether what it keeps of a device until its next use costs less than a load saves.

    Both in seconds of a device: the share it keeps times how long, and how much sooner it is back.
    """
    total = max((device.total_bytes for device in books.devices_of(model)), default=0)
    kept_s = books.next_use_s(model) * way.asleep_bytes / max(1, total)
    return way.asleep_bytes < total and kept_s <= load_s(model, policy) - way.wake_s


def _sleep(
    books: Books, leaving: ModelView, way: SleepView, reason: str, policy: Policy
) -> Sleep | Unload | None:
    """None: there is no host memory for it, and nothing that sleeps there is worth less."""
    agent_id = books.agent_of(leaving)
    short = way.host_bytes - books.host_free.get(agent_id, 0)
    if way.host_bytes == 0 or short <= 0:
        books.host_free[agent_id] = books.host_free.get(agent_id, 0) - way.host_bytes
        return Sleep(leaving.model, way.level, reason)
    worse = _worth_less(books, leaving, way, policy)
    first = next((sleeper for sleeper in worse if books.can_stop(sleeper)), None)
    if first is None or sum(m.asleep.host_bytes for m in worse if m.asleep) < short:
        return None
    return Unload(first.model, f"makes room in host memory for {leaving.model} to sleep")


def _worth_less(
    books: Books, leaving: ModelView, way: SleepView, policy: Policy
) -> list[ModelView]:
    """Sleepers in the same host memory that save less, those that save least first.

    Neither those that somebody waits for nor those that are to be loaded always.
    """
    limit = _worth(books, leaving, way, policy)
    valued = [
        (_worth(books, model, model.asleep, policy), model.model, model)
        for model in books.asleep.get(books.agent_of(leaving), ())
        if model.asleep and model.asleep.host_bytes and not _is_to_wake(model)
    ]
    return [model for worth, _, model in sorted(valued) if worth < limit]


def _is_to_wake(sleeper: ModelView) -> bool:
    """Whether it wakes as soon as it can."""
    return sleeper.pinned or sleeper.wanted_for_s is not None


def _worth(books: Books, model: ModelView, way: SleepView, policy: Policy) -> float:
    """Seconds of waiting that are saved for each second of sleep."""
    return (load_s(model, policy) - way.wake_s) / max(1.0, books.next_use_s(model))
