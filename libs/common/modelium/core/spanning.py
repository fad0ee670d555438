"""A model that no single device can hold: over several devices of one agent, all of them or none.

Of the fewest devices that could, those are taken where most is free. What fits already is set aside
for it, the others are emptied one victim at a time as for any waiter; the load begins when all have
room.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from modelium.common.records import DeviceKind
from modelium.core import displace
from modelium.core.actions import Action, Load, Queue
from modelium.core.books import Books
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView


@dataclass(frozen=True, slots=True)
class _Group:
    """Devices that could hold the model together, and the part of it that each would hold."""

    part: ModelView
    devices: tuple[DeviceView, ...]


def serve(books: Books, waiter: ModelView, policy: Policy, reason: str) -> list[Action]:
    """Load it, or make room for it; nothing where no devices could hold it together."""
    group = _group(books, waiter)
    if group is None:
        return []
    part, devices = group.part, group.devices
    if not all(books.fits(device, part) for device in devices):
        return make_room_on_all(books, part, devices, policy)
    busy = [device for device in devices if books.busy(device)]
    if busy:
        for device in devices:
            books.take(device, part)
        return [displace.loading(books, part, busy[0])]
    return [_load(books, group, reason)]


def load_into_free(books: Books, model: ModelView, reason: str) -> list[Load]:
    """Load it where nobody has to give way or to be waited for; nothing where that is nowhere."""
    group = _group(books, model)
    ready = group is not None and all(
        books.fits(device, group.part) and not books.busy(device) for device in group.devices
    )
    return [_load(books, group, reason)] if group is not None and ready else []


def _load(books: Books, group: _Group, reason: str) -> Load:
    part, devices = group.part, group.devices
    for device in devices:
        books.take(device, part)
    ids = tuple(device.device_id for device in devices)
    books.command(ids, part)
    each = part.needed[devices[0].kind]
    return Load(part.model, devices[0].agent_id, ids, reserve_bytes=each, reason=reason)


def make_room_on_all(
    books: Books, part: ModelView, devices: Sequence[DeviceView], policy: Policy
) -> list[Action]:
    """Where it fits already its part is set aside; on each of the others somebody gives way."""
    missing = [device for device in devices if not books.fits(device, part)]
    for device in devices:
        if device not in missing:
            books.take(device, part)
            books.claimed[device.device_id] = part.model
    made = [displace.make_room(books, part, [device], policy) for device in missing]
    return _with_one_queue(action for actions in made for action in actions)


def _group(books: Books, waiter: ModelView) -> _Group | None:
    """The fewest devices; of as many, those where most is free."""
    for count, each in sorted(waiter.spans.items()):
        part = replace(waiter, needed={DeviceKind.CUDA: each})
        groups = [
            group
            for agent_id in sorted({device.agent_id for device in books.snapshot.devices})
            if (group := _of_agent(books, agent_id, part, count))
        ]
        if groups:
            return max(groups, key=lambda group: _room(books, group))
    return None


def _of_agent(books: Books, agent_id: str, part: ModelView, count: int) -> _Group | None:
    large = [
        device
        for device in books.snapshot.devices
        if device.agent_id == agent_id and books.can_hold(device, part)
    ]
    large.sort(key=lambda device: (not books.fits(device, part), -books.free[device.device_id]))
    return _Group(part, tuple(large[:count])) if len(large) >= count else None


def _room(books: Books, group: _Group) -> tuple[int, int]:
    fitting = [device for device in group.devices if books.fits(device, group.part)]
    return len(fitting), sum(books.free[device.device_id] for device in group.devices)


def _with_one_queue(actions: Iterable[Action]) -> list[Action]:
    """A model is told one reason to wait, however many devices it waits for."""
    kept: list[Action] = []
    for action in actions:
        if not (isinstance(action, Queue) and any(isinstance(a, Queue) for a in kept)):
            kept.append(action)
    return kept
