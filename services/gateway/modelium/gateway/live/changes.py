"""What one who looks may see, and what of it is new to them. Pure but for what they were told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from modelium.gateway.live.board import View
from modelium.gateway.live.documents import (
    LiveAdvisor,
    LiveChange,
    LiveDevice,
    LiveGateway,
    LiveModel,
    LiveSnapshot,
)
from modelium.gateway.live.rows import idle_as_of_now, shown

R = TypeVar("R")
_DECIMALS: Final = 2


@dataclass(kw_only=True)
class Looker:
    """What one was told last; `visible` says which models they may see."""

    gateway_id: str
    visible: Callable[[str], bool]
    _models: Mapping[str, LiveModel] = field(default_factory=dict)
    _devices: Mapping[str, LiveDevice] = field(default_factory=dict)
    _gateway: LiveGateway | None = None
    _advisor: LiveAdvisor | None = None

    def snapshot(self, view: View, *, nats_connected: bool) -> LiveSnapshot:
        """All of it."""
        models = self._seen(view)
        gateway = self._sums(models, nats_connected)
        self._models, self._devices = models, view.devices
        self._gateway, self._advisor = gateway, view.advisor
        return LiveSnapshot(
            time=view.time,
            gateway=gateway,
            models=[idle_as_of_now(row, view.figures[name]) for name, row in models.items()],
            devices=[shown(device, self.visible) for device in view.devices.values()],
            advisor=view.advisor,
        )

    def change(self, view: View, *, nats_connected: bool) -> LiveChange | None:
        """What is new; None: nothing."""
        models = self._seen(view)
        gateway = self._sums(models, nats_connected)
        change = LiveChange(
            time=view.time,
            gateway=gateway,
            models=_new(self._models, models),
            devices=[shown(row, self.visible) for row in _new(self._devices, view.devices)],
            advisor=view.advisor,
            gone_models=_gone(self._models, models),
            gone_devices=_gone(self._devices, view.devices),
        )
        rows = change.models, change.devices, change.gone_models, change.gone_devices
        same = (gateway, view.advisor) == (self._gateway, self._advisor)
        self._models, self._devices = models, view.devices
        self._gateway, self._advisor = gateway, view.advisor
        return None if same and not any(rows) else change

    def _seen(self, view: View) -> dict[str, LiveModel]:
        return {name: row for name, row in view.models.items() if self.visible(name)}

    def _sums(self, models: Mapping[str, LiveModel], nats_connected: bool) -> LiveGateway:
        rows = models.values()
        return LiveGateway(
            id=self.gateway_id,
            active_requests=sum(row.in_flight + row.waiting for row in rows),
            requests_per_second=round(sum(row.requests_per_second for row in rows), _DECIMALS),
            waiting=sum(row.waiting for row in rows),
            nats_connected=nats_connected,
        )


def _new(before: Mapping[str, R], now: Mapping[str, R]) -> list[R]:
    """A row that is the same is the same object, see `board.View`."""
    return [row for name, row in now.items() if before.get(name) is not row]


def _gone(before: Mapping[str, R], now: Mapping[str, R]) -> list[str]:
    return sorted(before.keys() - now.keys())
