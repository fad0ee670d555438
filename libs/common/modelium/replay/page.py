"""What replays have cost, as one page of HTML that needs nothing beside itself. Pure."""

from bisect import bisect_right
from collections.abc import Mapping
from html import escape
from itertools import accumulate
from typing import Final

from modelium.replay.chart import Axis, Points, chart
from modelium.replay.simulate import Outcome
from modelium.replay.table import TITLES, rows
from modelium.replay.trace import HOUR_S

POINTS: Final = 240
"""Of a line; more are not seen."""
SHORTEST_S: Final = 0.1
"""A wait; the least that is drawn."""
STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 960px; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .8rem .2rem 0; text-align: right }
th:first-child, td:first-child { text-align: left }
th { border-bottom: 1px solid currentColor; font-size: .8rem }
svg { width: 100%; max-width: 720px } svg text { font-size: 12px; fill: currentColor }
polyline { fill: none; stroke-width: 2 } .grid { stroke: currentColor; opacity: .15 }
""".strip()

Outcomes = Mapping[str, Outcome]


def page(results: Mapping[str, Outcomes], *, about: str) -> str:
    """The outcomes of every trace; `about` says on what they were replayed."""
    sections = "\n".join(_section(trace, outcomes) for trace, outcomes in results.items())
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8"><title>modelium replay</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>\n{STYLE}\n</style></head><body>\n"
        f"<h1>modelium replay</h1>\n<p>{escape(about)}</p>\n{sections}\n</body></html>\n"
    )


def _section(trace: str, outcomes: Outcomes) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in TITLES)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row.cells())}</tr>"
        for row in rows(outcomes)
    )
    requests = next(iter(outcomes.values())).requests
    return (
        f"<h2>{escape(trace)}</h2>\n<p>{requests} requests.</p>\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>\n"
        f"<h3>Waiting so far, in hours over all requests</h3>\n{_waited(outcomes)}\n"
        f"<h3>Requests that waited longer, in percent</h3>\n{_longer(outcomes)}"
    )


def _waited(outcomes: Outcomes) -> str:
    """How much waiting there was until each hour of the trace."""
    ends_s = max((at_s for each in outcomes.values() for at_s, _ in each.waits), default=1.0)
    ends_s = max(ends_s, 1.0)
    lines = {name: _sums(outcome, ends_s) for name, outcome in outcomes.items()}
    most = max(points[-1][1] for points in lines.values()) or 1.0
    return chart(Axis("hours", 0, ends_s / HOUR_S), Axis("hours of waiting", 0, most), lines)


def _sums(outcome: Outcome, ends_s: float) -> Points:
    waits = sorted(outcome.waits)
    times_s = [at_s for at_s, _ in waits]
    sums_s = list(accumulate((wait_s for _, wait_s in waits), initial=0.0))
    steps_s = [ends_s * n / POINTS for n in range(POINTS + 1)]
    return [(at / HOUR_S, sums_s[bisect_right(times_s, at)] / HOUR_S) for at in steps_s]


def _longer(outcomes: Outcomes) -> str:
    """Which share of the requests waited longer than each time."""
    longest_s = max(10.0 * SHORTEST_S, *(each.max_wait_s for each in outcomes.values()))
    lines = {name: _shares(outcome, longest_s) for name, outcome in outcomes.items()}
    most = max(points[0][1] for points in lines.values()) or 1.0
    x = Axis("seconds", SHORTEST_S, longest_s, decades=True)
    return chart(x, Axis("percent of the requests", 0, most), lines)


def _shares(outcome: Outcome, longest_s: float) -> Points:
    waits_s = sorted(wait_s for _, wait_s in outcome.waits)
    growth = (longest_s / SHORTEST_S) ** (1 / POINTS)
    steps_s = [SHORTEST_S * growth**n for n in range(POINTS + 1)]
    return [
        (at, 100 * (len(waits_s) - bisect_right(waits_s, at)) / outcome.requests) for at in steps_s
    ]
