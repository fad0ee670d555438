"""Which policies a language model would try on the recent demand: a proposal, no more. Pure.

It chooses among given numbers, so that what it says always parses and stays within bounds. Like any
other candidate (`tuning.py`) its choice takes over only if it wins the replays.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from modelium.common.settings_policies import Policies
from modelium.core.prompts import Prompt, fields_of, schema_of
from modelium.core.tuning import name_of

TUNING: Final = "tuning-1"
CHOICES: Final[Mapping[str, tuple[float, ...]]] = {
    "displace_after_seconds": (10, 15, 25, 35, 50, 80, 120),
    "min_residency_seconds": (1, 2, 5, 10, 20, 40, 60),
}
_TOKENS: Final = 96
_GB: Final = 1e9
_SYSTEM: Final = """You choose numbers for a scheduler by which many AI models share a few GPUs.
A model that has lost its memory must be loaded again when it is asked for, and its callers wait.
displace_after_seconds: how long a request waits, times the models that wait, before models in use \
make room for it. Longer means fewer loads, but longer waits for who is cold.
min_residency_seconds: how long a loaded model stays at least.
Choose those by which the mean wait is short. A replay of the demand judges your choice."""


@dataclass(frozen=True, slots=True)
class DemandFigures:
    """The recent demand, and on what it came."""

    requests: int
    hours: float
    busy_s: float
    """Of an engine, for one request, in the mean."""
    devices: int
    device_bytes: int
    sizes_bytes: tuple[int, ...]
    """Of the models."""
    loads_s: tuple[float, ...]
    """Of the models whose loads were measured."""


def about_tuning(
    current: Policies, settled: Collection[str], demand: DemandFigures
) -> Prompt | None:
    """Which numbers to try; None: there is none that may be changed."""
    fields = _fields(settled)
    if not fields:
        return None
    now = " ".join(f"{name}={getattr(current, name):g}" for name in fields)
    loads_s = sorted(demand.loads_s)
    load_s = f"{loads_s[len(loads_s) // 2]:.0f}" if loads_s else "?"
    lines = (
        f"now: {now}",
        f"gpus: {demand.devices} of {demand.device_bytes / _GB:.0f} gb",
        f"models: {len(demand.sizes_bytes)}, {sum(demand.sizes_bytes) / _GB:.0f} gb in all, "
        f"load_s={load_s}",
        f"requests: {demand.requests} in {demand.hours:.1f} hours, {demand.busy_s:.1f} s each",
    )
    return Prompt(
        version=TUNING,
        system=_SYSTEM,
        user="\n".join(lines),
        schema=schema_of(fields),
        most_tokens=_TOKENS,
    )


def proposed(answer: str, current: Policies, settled: Collection[str]) -> dict[str, Policies]:
    """What the answer says, by the name of the candidate; empty: it would change nothing.

    Raises:
        NoAnswer: it is not of the form that was asked for.
    """
    chosen = fields_of(answer, _fields(settled))
    values = {name: float(word) for name, word in chosen.items()}
    other = {name: value for name, value in values.items() if value != getattr(current, name)}
    return {name_of(other): current.model_copy(update=other)} if other else {}


def _fields(settled: Collection[str]) -> dict[str, list[str]]:
    return {name: _words(values) for name, values in CHOICES.items() if name not in settled}


def _words(values: Iterable[float]) -> list[str]:
    return [f"{value:g}" for value in values]
