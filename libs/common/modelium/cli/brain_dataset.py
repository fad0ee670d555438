"""`modelium brain dataset`: writes what a brain can learn from, made of traces."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from modelium.cli.console import say, step
from modelium.common.load_settings import Settings
from modelium.core.policy import policy
from modelium.replay.contenders import Setup
from modelium.replay.examples import Part, Split, examples, split
from modelium.replay.files import WrongFile, read
from modelium.replay.trace import GENERATED, Trace, generated

GENERATED_HOURS: Final = 12.0


@dataclass(frozen=True, slots=True)
class Source:
    """Traces, and the node on which they are replayed."""

    traces: Sequence[Path]
    setup: Setup
    hours: float | None = None
    held_out: float = 0.25


def write(settings: Settings, source: Source, path: Path) -> None:
    """One file with both parts of all traces.

    Raises:
        WrongFile: it is there already, or cannot be written.
        CannotReplay: a trace has too little.
    """
    policies = policy(settings.orchestration.policies)
    interval_s = settings.orchestration.decision_interval_seconds
    counts: Counter[Part] = Counter()
    splits = [split(trace_of(each, source), source.held_out) for each in source.traces]
    ensure_unlike(splits)
    try:
        with path.open("x", encoding="utf-8") as file, _whole(path):
            for each in splits:
                for part in Part:
                    with step(f"{each.name}, {part}"):
                        made = examples(
                            each, part, source.setup, policy=policies, interval_s=interval_s
                        )
                    file.writelines(f"{example.line()}\n" for example in made)
                    counts[part] += len(made)
    except FileExistsError as error:
        raise WrongFile(f"{path} is there already, and would be lost") from error
    except OSError as error:
        raise WrongFile(f"{path} cannot be written: {error.strerror or error}") from error
    say(
        f"{path} has {counts[Part.TRAIN]} examples to train with, "
        f"and {counts[Part.HELD_OUT]} that are held out."
    )


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """A file that was begun and cannot be finished is in nobody's way."""
    with ExitStack() as failed:
        failed.callback(path.unlink)
        yield
        failed.pop_all()


def trace_of(source: Path, wanted: Source) -> Trace:
    """A file's, or one that is made up."""
    if str(source) == GENERATED:
        hours = GENERATED_HOURS if wanted.hours is None else wanted.hours
        made = generated(hours=hours, seed=wanted.setup.seed)
        # That of fewer hours is another trace, not the beginning of this one.
        return replace(made, name=f"{made.name}-{hours:g}h")
    return read(source, hours=float("inf") if wanted.hours is None else wanted.hours)


def ensure_unlike(splits: Sequence[Split]) -> None:
    """By its name it is known later which part of a trace was held out.

    Raises:
        WrongFile: two have the same.
    """
    twice = [name for name, n in Counter(each.name for each in splits).items() if n > 1]
    if twice:
        raise WrongFile(f"several traces are named {twice[0]}: rename one")
