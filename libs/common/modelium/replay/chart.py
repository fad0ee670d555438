"""Line charts as SVG, which any browser draws without a library. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 320
LEFT: Final = 64
RIGHT: Final = 112
TOP: Final = 12
BOTTOM: Final = 44
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by all (Okabe and Ito)."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """From `least` to `most`, evenly or by decades."""

    title: str
    least: float
    most: float
    decades: bool = False

    def place(self, value: float) -> float:
        """0 at its least, 1 at its most."""
        if self.decades:
            return math.log(max(value, self.least) / self.least) / math.log(self.most / self.least)
        return (value - self.least) / (self.most - self.least)

    def ticks(self) -> list[float]:
        """Round values along it."""
        if self.decades:
            first, last = math.ceil(_log(self.least)), math.floor(_log(self.most))
            return [10.0**power for power in range(first, last + 1)]
        step = 10.0 ** math.floor(math.log10(self.most - self.least))
        step *= next(by for by in (2, 1, 0.5, 0.2) if (self.most - self.least) / (by * step) >= 3)
        first = math.ceil(self.least / step)
        return [n * step for n in range(first, math.floor(self.most / step + 1e-9) + 1)]


def chart(x: Axis, y: Axis, lines: Mapping[str, Points]) -> str:
    """One line for each name, which is written beside its end."""
    parts = [*_grid(x, y), *_lines(x, y, lines)]
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y.title)}"'
    return f"<svg {box}>{''.join(parts)}</svg>"


def _grid(x: Axis, y: Axis) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value in y.ticks():
        at = _y(y, value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text(LEFT - 8, at + 4, f"{value:g}", "end"))
    for value in x.ticks():
        at = _x(x, value)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(_text(at, bottom + 16, f"{value:g}", "middle"))
    parts.append(_text((LEFT + right) / 2, HEIGHT - 6, x.title, "middle"))
    return parts


def _lines(x: Axis, y: Axis, lines: Mapping[str, Points]) -> list[str]:
    ends = _apart({name: _y(y, points[-1][1]) for name, points in lines.items()})
    parts = []
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{_x(x, left):.1f},{_y(y, up):.1f}" for left, up in points)
        parts.append(f'<polyline stroke="{colour}" points="{path}"/>')
        at = WIDTH - RIGHT + 8
        parts.append(_text(at, ends[name] + 4, name, "start", f' style="fill:{colour}"'))
    return parts


def _apart(places: Mapping[str, float], least: float = 14.0) -> dict[str, float]:
    """The same, moved down until no two names are written over each other, up from the bottom."""
    moved: dict[str, float] = {}
    lowest = float(HEIGHT - BOTTOM)
    for name in sorted(places, key=lambda name: -places[name]):
        moved[name] = min(places[name], lowest)
        lowest = moved[name] - least
    return moved


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {at}{more}>{escape(text)}</text>"


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM)


_log: Callable[[float], float] = math.log10
