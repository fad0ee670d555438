"""What was used: figures per organisation, day, key and model.

Pure. A day's hash has one field per key, model and figure, `<key>/<model>/prompt_tokens`; days are
those of UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True)
class Figures:
    """What some requests used together."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    device_seconds: float = 0.0
    load_seconds: float = 0.0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*map(sum, zip(astuple(self), astuple(other), strict=True)))


FIGURES: Final = tuple(field.name for field in fields(Figures))
SECONDS: Final = frozenset({"device_seconds", "load_seconds"})
_WHOLE_S: Final = 6


@dataclass(frozen=True, slots=True)
class Usage:
    """The figures of one key and model on one day."""

    organization: str
    day: date
    key_id: str
    model: str
    figures: Figures


def to_fields(usage: Usage) -> dict[str, str]:
    """The fields to add to in the day's hash, and how much; nothing that is zero."""
    return {
        f"{usage.key_id}/{usage.model}/{name}": str(round(value, _WHOLE_S))
        for name, value in asdict(usage.figures).items()
        if value
    }


def from_fields(organization: str, day: date, found: Mapping[str, str]) -> list[Usage]:
    """A day's hash, ordered by key and model; fields that are not ours are passed over."""
    values: dict[tuple[str, str], dict[str, float]] = {}
    for field, text in found.items():
        key_and_model, _, figure = field.rpartition("/")
        key_id, _, model = key_and_model.partition("/")
        if figure in FIGURES and model:
            number = float(text) if figure in SECONDS else int(text)
            values.setdefault((key_id, model), {})[figure] = number
    return [
        Usage(organization, day, key_id, model, Figures(**figures))  # type: ignore[arg-type]
        for (key_id, model), figures in sorted(values.items())
    ]


class By(StrEnum):
    """What a report tells apart."""

    ORGANIZATION = "organization"
    DAY = "day"
    KEY = "key_id"
    MODEL = "model"

    def of(self, usage: Usage) -> str:
        """Its value."""
        match self:
            case By.ORGANIZATION:
                return usage.organization
            case By.DAY:
                return usage.day.isoformat()
            case By.KEY:
                return usage.key_id
            case By.MODEL:
                return usage.model


def grouped(rows: Iterable[Usage], by: Sequence[By]) -> dict[tuple[str, ...], Figures]:
    """The figures of all rows that are the same in `by`, ordered."""
    groups: dict[tuple[str, ...], Figures] = {}
    for row in rows:
        names = tuple(each.of(row) for each in by)
        groups[names] = groups.get(names, Figures()) + row.figures
    return dict(sorted(groups.items()))


def total(rows: Iterable[Usage]) -> Figures:
    """All of them together."""
    return sum((row.figures for row in rows), Figures())
