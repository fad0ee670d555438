"""What may become of a request for a model, by the model's record; pure."""

from dataclasses import dataclass
from typing import Final

from modelium.common.records import InstanceEndpoint, ModelRecord, ModelState, instance_id


@dataclass(frozen=True, slots=True)
class Route:
    """Loaded; requests may go to any of `endpoints`, of which there is at least one."""

    endpoints: tuple[InstanceEndpoint, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not loaded now, but can be."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Its last engine failed; the record says why and when it is tried again."""

    record: ModelRecord


@dataclass(frozen=True, slots=True)
class Refused:
    """Its files cannot be served."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unplaceable:
    """It fits no device there is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no such model, or its files are gone."""


Outcome = Route | Waiting | Failed | Refused | Unplaceable | Unknown

UNKNOWN: Final = Unknown()
_WAITING: Final = Waiting()


def outcome_of(record: ModelRecord) -> Outcome:
    """What its record makes of it."""
    if record.removed:
        return UNKNOWN
    if record.state is ModelState.REJECTED:
        return Refused(record.reason)
    if record.refused:
        return Unplaceable(record.reason)
    if record.state is ModelState.ERROR:
        return Failed(record)
    endpoints = _endpoints(record) if record.state is ModelState.LOADED else ()
    return Route(endpoints) if endpoints else _WAITING


def _endpoints(record: ModelRecord) -> tuple[InstanceEndpoint, ...]:
    """A record that was saved before records had `endpoints` names its one engine only."""
    if record.endpoints or not record.endpoint:
        return record.endpoints
    name = record.instance_id or instance_id(record.model, record.generation)
    count = max(1, len(record.device_ids))
    one = InstanceEndpoint(
        instance_id=name, generation=record.generation, url=record.endpoint, device_count=count
    )
    return (one,)
