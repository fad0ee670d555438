"""A case of the corpus: a name, how its files are made, and what is to be said of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """`make` gets an empty watch directory and gives the candidate's path."""

    name: str
    make: Callable[[Path], Path]
    why: str = ""
    """A part of the reason, of a hostile one."""
