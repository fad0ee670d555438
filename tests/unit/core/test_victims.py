"""The smallest set of engines that frees enough."""

import pytest

from modelium.core.snapshot import ModelView
from modelium.core.victims import by_worth, smallest_set
from tests.unit.core.places import GIB, POLICY, loaded


def _recency(model: ModelView) -> float:
    return model.unused_s


@pytest.mark.parametrize(
    ("candidates", "short", "expected"),
    [
        ([], 0, []),
        ([loaded("a", 1)], 0, []),  # nothing is missing
        ([loaded("a", 1)], 2, None),  # all together are not enough
        ([loaded("a", 1, idle_s=9), loaded("b", 1, idle_s=8)], 1, ["a"]),  # least recently used
        ([loaded("a", 1, idle_s=9), loaded("b", 3, idle_s=8)], 3, ["b"]),  # a would be one too many
        ([loaded("a", 2, idle_s=9), loaded("b", 2, idle_s=8)], 3, ["a", "b"]),
        (
            [loaded("a", 1, idle_s=0, in_flight=1), loaded("b", 1, idle_s=1)],
            1,
            ["b"],
        ),  # in use last
    ],
)
def test_the_least_recently_used_that_are_enough(
    candidates: list[ModelView], short: int, expected: list[str] | None
) -> None:
    chosen = smallest_set(
        by_worth(candidates, frozenset(), _recency), short * GIB, POLICY, _recency
    )
    names = None if chosen is None else [victim.model for victim in chosen.victims]
    assert names == expected
