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

   Of a model that may have copies those are stopped once each, for none is begun while anybody
   waits: as many stops more.

It is the bound of the worst case, with every model wanted and every request longer than the drain
deadline; it counts on loads that take as long as the last one did, or `unknown_load_s`. A load that
fails, an engine or an agent that dies, memory that others take, files that are replaced: each costs
a turn more than W knows, and those who have become too old by it are refused.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from modelium.common.records import DeviceKind
from modelium.core.policy import Policy, learned
from modelium.core.snapshot import ModelView, Snapshot
from modelium.core.victims import load_s

STOPPED_IN_A_TURN: Final = 2
Sizes = Mapping[tuple[DeviceKind, int], frozenset[str]]
"""Kind and bytes of devices to all that are such."""
Places = Mapping[str, frozenset[str]]
"""Model to the devices on which it has an engine or may get one."""


def wait_bounds_s(seen: Snapshot, policy: Policy) -> dict[str, float]:
    """W of every model, in seconds."""
    policy = learned(policy, seen.loads_s)
    sizes = _by_size(seen)
    places = {model.model: _places(model, sizes) for model in seen.models}
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
    copies = max(0, model.max_engines - 1)
    orders = 2 if model.sleeps or model.asleep else 1
    stops_s = (STOPPED_IN_A_TURN * orders + copies) * (policy.drain_deadline_s + policy.stop_s)
    return takes_s + max(policy.min_residency_s, takes_s) + stops_s


def _by_size(seen: Snapshot) -> Sizes:
    found: defaultdict[tuple[DeviceKind, int], set[str]] = defaultdict(set)
    for device in seen.devices:
        found[device.kind, device.total_bytes].add(device.device_id)
    return {size: frozenset(device_ids) for size, device_ids in found.items()}


def _places(model: ModelView, sizes: Sizes) -> frozenset[str]:
    if model.blocked and not model.live:
        return frozenset()
    large = [ids for (kind, total), ids in sizes.items() if _least_bytes(model, kind) <= total]
    here = large[0] if len(large) == 1 else frozenset().union(*large)
    if here.issuperset(model.device_ids):
        return here
    return here.union(*(ids.intersection(model.device_ids) for ids in sizes.values()))


def _least_bytes(model: ModelView, kind: DeviceKind) -> float:
    """What it needs of a device at least, alone or with a part of it."""
    alone = model.needed.get(kind, 0)
    if not model.spans:
        return alone or math.inf
    return min((part for part in (alone, *model.spans.values()) if part > 0), default=math.inf)


def _sharing_s(here: frozenset[str], places: Places, turns_s: Mapping[str, float]) -> float:
    return sum(turns_s[name] for name, there in places.items() if not here.isdisjoint(there))
