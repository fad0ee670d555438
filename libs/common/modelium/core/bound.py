"""W: how long an admitted request for a model waits at most until its load begins to serve it.

`decide` serves everybody whose load can begin within W, and refuses whoever has waited longer
(`Queue.never`), so that "served or refused within W" holds by construction. What has to be shown,
and is by the state machines in `tests/properties`, is that nobody is
refused for his age as long as nothing fails. Of N models that can be served:

1. A waiter may displace any engine that is not pinned once it is `displace_after_s` times the
   models that wait old, which are never more than N. From then on nobody younger takes what it
   needs: `decide` goes by age, and closes the device that is being emptied.
2. Those that are older by then have one turn each before it: who was served is young when it waits
   again. At worst all want the same device, one after the other.
3. A turn is at most a load, the quantum of the engine that it starts (`protected_s`: the minimum
   time, or as long as its load took), and two engines stopped: each turn adds one engine to a
   device and at most N are there at first, so N turns stop no more than 2 N engines.
   One is stopped within the drain deadline and `stop_s`. One that can sleep may be put to sleep
   first and stopped later, which is as long once more; to wake one takes no longer than a load.

    W = N * displace_after_s + sum over all that share a device with it, itself included, of
        load_s + max(min_residency_s, load_s) + 2 * (drain_deadline_s + stop_s)   [4: it can sleep]

It is the bound of the worst case, with every model wanted and every request longer than the drain
deadline; it counts on loads that take as long as the last one did, or `unknown_load_s`. A load that
fails, an engine or an agent that dies, memory that others take: each costs a turn more than W
knows, and those who have become too old by it are refused.
"""

import math
from collections.abc import Mapping
from typing import Final

from modelium.common.records import DeviceKind
from modelium.core.policy import Policy, learned
from modelium.core.snapshot import ModelView, Snapshot
from modelium.core.victims import load_s

STOPPED_IN_A_TURN: Final = 2
Places = Mapping[str, frozenset[str]]
"""Model to the devices on which it has an engine or may get one."""


def wait_bounds_s(seen: Snapshot, policy: Policy) -> dict[str, float]:
    """W of every model, in seconds."""
    policy = learned(policy, seen.loads_s)
    kinds = frozenset(device.kind for device in seen.devices)
    places = {model.model: _places(model, seen, kinds) for model in seen.models}
    patience_s = policy.displace_after_s * max(1, sum(map(bool, places.values())))
    turns_s = {model.model: turn_s(model, policy) for model in seen.models}
    shared_s = {here: _sharing_s(here, places, turns_s) for here in set(places.values())}
    return {
        name: patience_s + (shared_s[here] if here else turns_s[name])
        for name, here in places.items()
    }


def turn_s(model: ModelView, policy: Policy) -> float:
    """For how long those behind it wait for one load of the model."""
    takes_s = load_s(model, policy)
    orders = 2 if model.sleeps or model.asleep else 1
    stops_s = STOPPED_IN_A_TURN * orders * (policy.drain_deadline_s + policy.stop_s)
    return takes_s + max(policy.min_residency_s, takes_s) + stops_s


def _places(model: ModelView, seen: Snapshot, kinds: frozenset[DeviceKind]) -> frozenset[str]:
    if model.blocked and not model.live:
        return frozenset()
    least = {kind: _least_bytes(model, kind) for kind in kinds}
    return frozenset(
        device.device_id
        for device in seen.devices
        if least[device.kind] <= device.total_bytes or device.device_id in model.device_ids
    )


def _least_bytes(model: ModelView, kind: DeviceKind) -> float:
    """What it needs of a device at least, alone or with a part of it."""
    parts = (model.needed.get(kind, 0), *model.spans.values())
    return min((part for part in parts if part > 0), default=math.inf)


def _sharing_s(here: frozenset[str], places: Places, turns_s: Mapping[str, float]) -> float:
    return sum(turns_s[name] for name, there in places.items() if not here.isdisjoint(there))
