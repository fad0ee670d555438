"""The command line."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be trained, and for how long."""

    dataset: Path
    out: Path
    base: str
    """A folder or a name on the hub; empty: a tiny model from scratch."""
    steps: int
    batch: int
    learning_rate: float
    seed: int
    minutes: float
    device: str


def options() -> Options:
    """As they were given."""
    parser = argparse.ArgumentParser("modelium.local_llm.training", description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", default="", help="left out: from scratch")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=8, help="examples of one step")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0.0, help="at most; 0: no limit")
    parser.add_argument("--device", default="auto")
    return Options(**vars(parser.parse_args()))
