"""What a load test of `modelium bench` found, in figures; pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
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
class Read:
    """Pieces of an answer that came at once."""

    at_s: float
    pieces: int = 0


@dataclass
class Request:
    """One request: when it began and ended, what came when, how many tokens, what failed."""

    began_s: float
    ended_s: float = 0.0
    reads: list[Read] = field(default_factory=list)
    tokens: int = 0
    error: str = ""

    @property
    def first_s(self) -> float:
        """Until the first piece of a stream; of any other answer, all of it."""
        return (self.reads[0].at_s if self.reads else self.ended_s) - self.began_s

    def took(self, at_s: float) -> None:
        """A piece of the answer came with what was read then."""
        if not self.reads or self.reads[-1].at_s != at_s:
            self.reads.append(Read(at_s))
        self.reads[-1].pieces += 1

    @property
    def gaps_s(self) -> list[float]:
        """Between tokens. Those that came at once share the time since what came before."""
        found = []
        for earlier, later in pairwise(self.reads):
            tokens = later.pieces * self._tokens_per_piece
            found += [(later.at_s - earlier.at_s) / tokens] * max(1, round(tokens))
        return found

    @property
    def _tokens_per_piece(self) -> float:
        """An engine may put several into one."""
        return max(1.0, self.tokens / sum(read.pieces for read in self.reads))


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
        "tokens_per_read": _tokens_per_read(good),
        "request_seconds": spread([r.ended_s - r.began_s for r in good]),
    }


def _per_second(count: float, took_s: float) -> float:
    return round(count / took_s, 2) if took_s > 0 else 0.0


def _tokens_per_read(requests: Sequence[Request]) -> float | None:
    """How many tokens came at once, of those that were streamed."""
    streamed = [request for request in requests if request.reads]
    reads = sum(len(request.reads) for request in streamed)
    return round(sum(request.tokens for request in streamed) / reads, 2) if reads else None


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
