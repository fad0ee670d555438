"""The state of the whole system as `GET /live` tells it: a snapshot, then what changed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modelium.cli.event_stream import ServerEvent

Row = dict[str, Any]


@dataclass
class LiveState:
    """What is known now; `apply` takes in one event."""

    time: str = ""
    gateway: Row = field(default_factory=dict)
    advisor: Row | None = None
    models: dict[str, Row] = field(default_factory=dict)
    devices: dict[str, Row] = field(default_factory=dict)

    def apply(self, event: ServerEvent) -> bool:
        """Whether anything is to be shown anew; events of other names are passed over."""
        if event.name not in ("snapshot", "change"):
            return False
        told = json.loads(event.data)
        if event.name == "snapshot":
            self.models, self.devices, self.advisor = {}, {}, None
        self.time = told.get("time", self.time)
        self.gateway = told.get("gateway", self.gateway)
        self.advisor = told.get("advisor", self.advisor)
        _merge(self.models, told.get("models", ()), "model", told.get("gone_models", ()))
        _merge(self.devices, told.get("devices", ()), "device_id", told.get("gone_devices", ()))
        return True

    def as_json(self) -> Row:
        """All of it, in the words of the snapshot."""
        return {
            "time": self.time,
            "gateway": self.gateway,
            "models": self.by_name(),
            "devices": [self.devices[key] for key in sorted(self.devices)],
            "advisor": self.advisor,
        }

    def by_name(self) -> list[Row]:
        """The models, those that do something before those that do nothing."""
        return [self.models[name] for name in sorted(self.models, key=self._rank)]

    def _rank(self, name: str) -> tuple[bool, str]:
        return self.models[name]["state"] in ("unloaded", "rejected"), name


def _merge(into: dict[str, Row], rows: Sequence[Row], key: str, gone: Sequence[str]) -> None:
    into.update({row[key]: row for row in rows})
    for name in gone:
        into.pop(name, None)
