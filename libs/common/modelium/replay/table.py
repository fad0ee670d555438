"""What replays have cost, in rows for people and programs. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from modelium.replay.contenders import CLAIRVOYANT
from modelium.replay.simulate import Outcome

TITLES: Final = (
    "POLICY",
    "COLD",
    "LOADS",
    "WAKES",
    "MEAN WAIT S",
    "P99 S",
    "MAX S",
    "DEVICE HOURS",
    "REGRET S",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One policy on one trace."""

    policy: str
    requests: int
    cold_ratio: float
    """Of the requests, that had to wait."""
    loads: int
    wakes: int
    mean_wait_s: float
    """Over all requests, also those that did not wait."""
    p99_wait_s: float
    max_wait_s: float
    device_hours: float
    regret_s: float | None
    """By how much the mean wait is longer than the clairvoyant's; None: it was not asked."""

    def cells(self) -> tuple[str, ...]:
        """As they are printed under `TITLES`."""
        return (
            self.policy,
            f"{self.cold_ratio:.1%}",
            str(self.loads),
            str(self.wakes),
            f"{self.mean_wait_s:.3f}",
            f"{self.p99_wait_s:.1f}",
            f"{self.max_wait_s:.1f}",
            f"{self.device_hours:.1f}",
            "-" if self.regret_s is None else f"{self.regret_s:.3f}",
        )


def rows(outcomes: Mapping[str, Outcome]) -> list[Row]:
    """Of one trace, in the same order."""
    best = outcomes.get(CLAIRVOYANT)
    return [
        Row(
            policy=name,
            requests=each.requests,
            cold_ratio=each.cold / each.requests,
            loads=each.loads,
            wakes=each.wakes,
            mean_wait_s=each.mean_wait_s,
            p99_wait_s=each.p99_wait_s,
            max_wait_s=each.max_wait_s,
            device_hours=each.device_hours,
            regret_s=each.mean_wait_s - best.mean_wait_s if best else None,
        )
        for name, each in outcomes.items()
    ]


def as_json(table: list[Row]) -> list[dict[str, Any]]:
    """For programs."""
    return [asdict(row) for row in table]
