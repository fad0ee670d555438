"""Finds the name that somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final

MOST_COMPARED: Final = 100
LONGEST_COMPARED: Final = 64
"""Characters. Among so many names, all much alike, to look takes 2 ms: a mistake must not hold up
what runs beside it for longer."""


def closest(wrong: str, names: Iterable[str]) -> str | None:
    """The name most like the wrong one, whatever their case; None: none is like it, or there are
    too many to look."""
    known = {name.casefold(): name for name in islice(names, MOST_COMPARED + 1)}
    if len(known) > MOST_COMPARED or len(wrong) > LONGEST_COMPARED:
        return None
    found = get_close_matches(wrong.casefold(), known, n=1)
    return known[found[0]] if found else None
