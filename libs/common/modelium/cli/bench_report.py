"""What a load test of `modelium bench` found, in figures; pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any, Final

TITLES: Final = (
    "AT ONCE",
    "REQUESTS",
    "ERRORS",
    "REQ/S",
    "TOKENS/S",
    "FIRST TOKEN P50",
    "P99",
    "BETWEEN P50",
    "P99",
    "WHOLE P50",
    "P99",
)


@dataclass
class Request:
    """One request: when it began and ended, when its pieces came, how many tokens, what failed."""

    began_s: float
    ended_s: float = 0.0
    pieces_s: list[float] = field(default_factory=list)
    tokens: int = 0
    error: str = ""

    @property
    def first_s(self) -> float:
        """Until the first piece of a stream; of any other answer, all of it."""
        return (self.pieces_s[0] if self.pieces_s else self.ended_s) - self.began_s

    @property
    def gaps_s(self) -> list[float]:
        """Between pieces."""
        pairs = zip(self.pieces_s, self.pieces_s[1:], strict=False)
        return [later - earlier for earlier, later in pairs]


def level(concurrency: int, requests: Sequence[Request], took_s: float) -> dict[str, Any]:
    """The figures of one level; those of time are null where nothing was answered."""
    good = [request for request in requests if not request.error]
    errors = Counter(request.error for request in requests if request.error)
    return {
        "concurrency": concurrency,
        "seconds": round(took_s, 3),
        "requests": len(good),
        "errors": sum(errors.values()),
        "error_messages": dict(errors.most_common(5)),
        "requests_per_second": _per_second(len(good), took_s),
        "tokens_per_second": _per_second(sum(r.tokens for r in good), took_s),
        "first_token_seconds": spread([r.first_s for r in good]),
        "between_tokens_seconds": spread([gap for r in good for gap in r.gaps_s]),
        "request_seconds": spread([r.ended_s - r.began_s for r in good]),
    }


def _per_second(count: float, took_s: float) -> float:
    return round(count / took_s, 2) if took_s > 0 else 0.0


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """The median and the 99th hundredth."""
    if not values:
        return {"p50": None, "p99": None}
    # One value has no quantiles, and is both.
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    return {"p50": round(cuts[49], 6), "p99": round(cuts[98], 6)}


def row(figures: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table, by `TITLES`."""
    times = ("first_token_seconds", "between_tokens_seconds", "request_seconds")
    return (
        str(figures["concurrency"]),
        str(figures["requests"]),
        str(figures["errors"]),
        f"{figures['requests_per_second']:.1f}",
        f"{figures['tokens_per_second']:.1f}",
        *(_ms(figures[name][part]) for name in times for part in ("p50", "p99")),
    )


def _ms(value_s: float | None) -> str:
    return "-" if value_s is None else f"{value_s * 1000:.1f} ms"
