"""`modelium replay`: what policies would have made of a trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelium.cli.asking import asker_of
from modelium.cli.console import out, out_json, out_table, say, step
from modelium.cli.replay_brain import AskedBrain
from modelium.common.load_settings import Settings
from modelium.core.policy import policy
from modelium.replay.contenders import BRAIN, NAMES, CannotReplay, Contenders, Setup
from modelium.replay.deciding import Advisor
from modelium.replay.files import WrongFile, read
from modelium.replay.page import page
from modelium.replay.parts import GB
from modelium.replay.simulate import Outcome
from modelium.replay.table import TITLES, as_json, rows
from modelium.replay.trace import GENERATED, Trace, generated

GENERATED_HOURS: Final = 24.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be replayed."""

    traces: Sequence[Path]
    policies: Sequence[str]
    setup: Setup
    models: int | None = None
    """Only so many, those that are asked for most; None: all."""
    hours: float | None = None


def replay(
    settings: Settings, wanted: Wanted, *, brain: Advisor | None, plot: Path | None, json: bool
) -> None:
    """Print a table for each trace, and draw them if wanted.

    What is wrong with the orders is told at once, and not after minutes of replays.
    """
    if plot is not None:
        _ensure_drawable(plot)
    contenders = Contenders(
        policy=policy(settings.orchestration.policies),
        interval_s=settings.orchestration.decision_interval_seconds,
        brain=brain,
    )
    for name in wanted.policies:
        contenders.driver(name)
    results = {}
    for source in wanted.traces:
        trace = _trace(source, wanted)
        name = str(source) if trace.name in results else trace.name
        results[name] = _outcomes(contenders, trace, wanted)
    if json:
        out_json({trace: as_json(rows(each)) for trace, each in results.items()})
    else:
        _print(results, about(wanted.setup))
    if plot is not None:
        _draw(plot, page(results, about=about(wanted.setup)))


@contextmanager
def brain_for(
    settings: Settings, wanted: Wanted, endpoint: str, model: str
) -> Iterator[AskedBrain | None]:
    """The language model that is asked where `brain` is wanted, and at the end how it did.

    Raises:
        LlmUnavailable: it is a local one that cannot be started.
    """
    if BRAIN not in wanted.policies:
        yield None
        return
    asker = asker_of(settings, endpoint=endpoint, model=model)
    if asker is None:
        yield None
        return
    brain = AskedBrain(policy(settings.orchestration.policies), asker)
    try:
        yield brain
        say(brain.report())
    finally:
        asker.close()


def about(setup: Setup) -> str:
    """On what, in a sentence."""
    load = setup.load_time
    asleep = (
        f", {setup.host_bytes / GB:g} GB of host memory to sleep in" if setup.host_bytes else ""
    )
    devices = "1 device" if setup.devices == 1 else f"{setup.devices} devices"
    return (
        f"{devices} of {setup.device_bytes / GB:g} GB{asleep}; a load takes "
        f"{load.fixed_s:g} s and 1 s for each {load.bytes_per_s / GB:g} GB where none was "
        f"measured; seed {setup.seed}."
    )


def policies_of(text: str) -> list[str]:
    """The names in a list with commas, each once.

    Raises:
        CannotReplay: one is not known, or there is none.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    wrong = [name for name in names if name not in NAMES]
    if wrong or not names:
        said = ", ".join(wrong) or "nothing"
        raise CannotReplay(f"--policy says {said}, expected some of {','.join(NAMES)}")
    return names


def _trace(source: Path, wanted: Wanted) -> Trace:
    if str(source) == GENERATED:
        hours = GENERATED_HOURS if wanted.hours is None else wanted.hours
        made = generated(hours=hours, seed=wanted.setup.seed, models=wanted.models or 90)
        if not made.requests:
            raise WrongFile(f"{made.name} has no request in its first {hours:g} hours")
        return made
    trace = read(source, hours=float("inf") if wanted.hours is None else wanted.hours)
    return trace.of_most_used(wanted.models) if wanted.models else trace


def _outcomes(contenders: Contenders, trace: Trace, wanted: Wanted) -> dict[str, Outcome]:
    outcomes = {}
    for name in wanted.policies:
        with step(f"{trace.name}, {len(trace.requests)} requests, {name}"):
            outcomes[name] = contenders.replay(name, trace, wanted.setup)
    return outcomes


def _print(results: dict[str, dict[str, Outcome]], text: str) -> None:
    out(text)
    for trace, outcomes in results.items():
        table = rows(outcomes)
        out()
        out(f"{trace}: {table[0].requests} requests")
        out_table(TITLES, [row.cells() for row in table])


def _ensure_drawable(path: Path) -> None:
    if path.suffix not in (".html", ".htm"):
        raise WrongFile(f"--plot is {path}: the plot is a page, expected a name that ends in .html")
    if not path.parent.is_dir():
        raise WrongFile(f"{path} cannot be written: there is no folder {path.parent}")


def _draw(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WrongFile(f"{path} cannot be written: {error.strerror or error}") from error
    say(f"The plot is in {path}.")
