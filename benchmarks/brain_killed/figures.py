"""The tables of a run, and what was wrong with it."""

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, median
from typing import Final

from benchmarks.brain_killed.phases import ALIVE, HUNG, KILLED, PHASES, RULES, Phase
from benchmarks.brain_killed.world import DEADLINE_S, INTERVAL_S, WARM
from benchmarks.report import p99, ratio, show, table
from benchmarks.swapping.clients import Asked
from benchmarks.swapping.figures import lost
from modelium.common.figures import DecisionSource

_COMPARED: Final = ((HUNG, ALIVE), (HUNG, RULES), (KILLED, ALIVE), (KILLED, RULES))
Seconds = Callable[[Sequence[Phase]], list[float]]


def _of(phases: Iterable[Phase], name: str) -> list[Phase]:
    """All of this name: there is one in each round."""
    return [phase for phase in phases if phase.name == name]


def _asked(phases: Iterable[Phase]) -> list[Asked]:
    return [one for phase in phases for one in phase.asked]


def _warm_s(phases: Sequence[Phase]) -> list[float]:
    return [one.took_s for one in _asked(phases) if one.answered and one.model == WARM]


def _warm_first_s(phases: Sequence[Phase]) -> list[float]:
    return _first_s(one for one in _asked(phases) if one.answered and one.model == WARM)


def _cold_first_s(phases: Sequence[Phase]) -> list[float]:
    return _first_s(one for one in _asked(phases) if one.answered and one.cold)


def _first_s(asked: Iterable[Asked]) -> list[float]:
    return [one.first_s for one in asked if one.first_s is not None]


_TIMES: Final[tuple[tuple[str, Seconds], ...]] = (
    ("warm, all of the answer", _warm_s),
    ("warm, to the first token", _warm_first_s),
    ("cold, to the first token", _cold_first_s),
)


def requests_table(phases: Sequence[Phase]) -> str:
    """What clients got in each phase."""
    heads = ("phase", "requests", "of these cold", "lost")
    body = []
    for name in PHASES:
        some = _of(phases, name)
        asked = _asked(some)
        counts = (len(asked), sum(one.cold for one in asked), len(lost(asked)))
        times = [_pair(seconds(some)) for _, seconds in _TIMES]
        cpus = f"{_mean(p.own_cpu for p in some):.2f} / {_mean(p.other_cpu for p in some):.2f}"
        body.append([name, *(f"{count:,}" for count in counts), *times, cpus])
    times_heads = [f"{what}, p50 / p99 s" for what, _ in _TIMES]
    return table((*heads, *times_heads, "CPUs kept busy, by this / by others"), body)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return fmean(listed) if listed else 0.0


def _pair(seconds: Sequence[float], most: Callable[[Sequence[float]], float] = p99) -> str:
    return f"{median(seconds):.3f} / {most(seconds):.3f}" if seconds else "-"


def decisions_table(phases: Sequence[Phase]) -> str:
    """Who answered the ticks of each phase, and how soon."""
    return table(
        (
            "phase",
            "ticks",
            "led by the LLM",
            "by the rules",
            "of these in its place",
            "nothing to say",
            "no answer",
            "tick to `decision.made`, p50 / max s",
            "LLM, also for comparison",
            "its tick to `decision.made`, p50 / max s",
            "dropped by the guard",
        ),
        [_decided(name, _of(phases, name)) for name in PHASES],
    )


def _decided(name: str, phases: Sequence[Phase]) -> list[str]:
    ticks = [tick for phase in phases for tick in phase.ticks]
    led = [tick.by for tick in ticks]
    missed = sum(phase.unanswered for phase in phases)
    counts = (
        len(ticks),
        led.count(DecisionSource.LLM),
        led.count(DecisionSource.RULES),
        sum(bool(tick.in_place) for tick in ticks),
        led.count(None) - missed,
        missed,
    )
    llm_s = [tick.llm_s for tick in ticks if tick.llm_s is not None]
    return [
        name,
        *(f"{count:,}" for count in counts),
        _pair([t.answered_s for t in ticks if t.answered_s is not None], max),
        f"{len(llm_s):,}",
        _pair(llm_s, max),
        f"{sum(phase.dropped for phase in phases):,}",
    ]


def ratios_table(phases: Sequence[Phase]) -> str:
    """Each phase without an answering engine as a share of one with it, or that needs none."""
    body = []
    for one, other in _COMPARED:
        cells = []
        for _, seconds in _TIMES:
            these, those = seconds(_of(phases, one)), seconds(_of(phases, other))
            both = these and those
            pair = [ratio(f(these), f(those)) if both else None for f in (median, p99)]
            cells.append(" / ".join(show(value) for value in pair))
        body.append([f"{one} ÷ {other}", *cells])
    return table(("", *(f"{what}, p50 / p99" for what, _ in _TIMES)), body)


def problems(phases: Sequence[Phase]) -> list[str]:
    """Empty if nobody was lost, every tick had its decision, and something was shown by it."""
    found = [f"{phase.name}: {one}" for phase in phases for one in lost(phase.asked)]
    for phase in phases:
        late = [t.answered_s for t in phase.ticks if t.answered_s and t.answered_s > INTERVAL_S]
        found += [f"{phase.name}: a decision took {s:.1f} s of {INTERVAL_S:g}" for s in late]
        if phase.unanswered:
            found.append(f"{phase.name}: {phase.unanswered} ticks had no decision")
    thought = sum(t.llm_s is not None for phase in _of(phases, ALIVE) for t in phase.ticks)
    if not thought:
        found.append(f"{ALIVE}: the language model never answered within {DEADLINE_S:g} s")
    replaced = sum(bool(t.in_place) for phase in _of(phases, KILLED) for t in phase.ticks)
    if not replaced:
        found.append(f"{KILLED}: the rules never answered in the place of the one that led")
    return found
