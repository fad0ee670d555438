"""The tables of a run: what became of the requests, and what of the engines."""

from collections.abc import Mapping, Sequence
from statistics import mean

from benchmarks.report import p99, show, table
from benchmarks.swapping.clients import Asked
from benchmarks.swapping.engines import Engines

MB = 1_000_000


def lost(asked: Sequence[Asked]) -> list[str]:
    """A sentence for each request that got no good answer in the end."""
    return [
        f"lost: {one.model} after {one.took_s:.1f} s, {len(one.attempts)} tries: "
        f"{one.attempts[-1].said}"
        for one in asked
        if not one.answered
    ]


def requests_table(asked: Sequence[Asked]) -> str:
    """All of them, those to models that served, and the others; times with all tries and pauses."""
    head = ("requests", "sent", "at first try", "after a retry", "lost", "mean s", "p99 s", "max s")
    warm, cold = ([one for one in asked if one.cold is kind] for kind in (False, True))
    rows = (("all", asked), ("to a model that served", warm), ("cold", cold))
    return table(head, [_requests(name, some) for name, some in rows])


def _requests(name: str, asked: Sequence[Asked]) -> list[str]:
    tries = [len(one.attempts) if one.answered else 0 for one in asked]
    took = [one.took_s for one in asked if one.answered]
    counts = (len(asked), tries.count(1), sum(n > 1 for n in tries), tries.count(0))
    times = (mean(took), p99(took), max(took)) if took else (None, None, None)
    return [name, *(f"{n:,}" for n in counts), *(show(s) for s in times)]


def engines_table(engines: Engines) -> str:
    """How often they were started and how they ended."""
    loads = list(engines.load_s.values())
    rows = (
        ("loads", f"{engines.counts['loads']:,}"),
        ("a load took, mean / max s", f"{mean(loads):.1f} / {max(loads):.1f}" if loads else "-"),
        ("unloads", f"{engines.counts['unloads']:,}"),
        ("failed", f"{engines.counts['failed']:,}"),
        ("lost with their agent", f"{engines.counts['lost']:,}"),
        ("at the same time, at most", f"{engines.most_engines:,}"),
    )
    return table(("engines", ""), rows)


def ledger_table(engines: Engines, measured: Mapping[str, int] | None = None) -> str:
    """What was promised of each device at most, and what was measured there."""
    head = ("device", "budget MB", "ledger at most", "measured at most (PSS)")
    rows = []
    for device, budget in sorted(engines.budgets.items()):
        held = measured.get(device) if measured is not None else None
        shares = (_share(part, budget) for part in (engines.most[device], held))
        rows.append((device, f"{budget / MB:,.0f}", *shares))
    return table(head, rows)


def _share(bytes_: int | None, budget: int) -> str:
    return "-" if bytes_ is None else f"{bytes_ / MB:,.0f} MB ({bytes_ / budget:.0%})"
