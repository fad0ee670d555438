"""Which name somebody may have meant."""

import pytest

from modelium.common.close_names import LONGEST_COMPARED, MOST_COMPARED, closest

NAMES = ["MiniLM", "sample", "org/qwen-7b"]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("sampel", "sample"),
        ("minilm", "MiniLM"),  # in other letters throughout
        ("qwen-7b", "org/qwen-7b"),
        ("gpt-4", None),
        ("", None),
        ("s" * LONGEST_COMPARED + "ample", None),
    ],
)
def test_the_closest_name(wrong: str, meant: str | None) -> None:
    assert closest(wrong, NAMES) == meant


def test_among_very_many_names_none_is_looked_for() -> None:
    assert closest("sampel", ["sample", *map(str, range(MOST_COMPARED))]) is None
