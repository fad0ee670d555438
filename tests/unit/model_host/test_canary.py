"""What a model must show before requests may reach it, and share its runs."""

from collections.abc import Callable

import numpy as np
import pytest

from modelium.model_host.canary import Attempt, prove
from modelium.model_host.errors import CannotLoad
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import Array, Tensors, TensorSpec

ROWS = Signature((TensorSpec("x", "FP32", (-1, 3)),), (TensorSpec("y", "FP32", (-1, 3)),))


def attempts(function: Callable[[Array], Array]) -> Attempt:
    def attempt(inputs: Tensors) -> Tensors | BaseException:
        try:
            return {"y": function(inputs["x"])}
        except ValueError as error:
            return error

    return attempt


def refusing(at_most: int) -> Callable[[Array], Array]:
    def run(x: Array) -> Array:
        if len(x) > at_most:
            raise ValueError(f"{len(x)} rows")
        return x

    return run


@pytest.mark.parametrize(
    ("function", "shares"),
    [
        (lambda x: x * 2, True),
        (lambda x: x / x.sum(0), False),  # its rows depend on each other
        (lambda x: x.sum(0), False),  # its output has no rows
        (refusing(1), False),  # one row at a time
    ],
)
def test_requests_share_runs_where_rows_together_give_what_they_give_alone(
    function: Callable[[Array], Array], shares: bool
) -> None:
    assert prove(ROWS, attempts(function)) is shares


def test_a_fixed_batch_is_never_shared() -> None:
    fixed = Signature((TensorSpec("x", "FP32", (5, 3)),), (TensorSpec("y", "FP32", (5, 3)),))
    assert not prove(fixed, attempts(lambda x: x))


def test_a_model_that_fails_on_what_fits_its_signature_cannot_be_served() -> None:
    with pytest.raises(CannotLoad, match="fails on its first input: ValueError: 1 rows"):
        prove(ROWS, attempts(refusing(0)))


def test_lengths_that_are_free_are_tried_and_may_all_be_wrong() -> None:
    free = Signature((TensorSpec("x", "FP32", (-1, -1)),))
    seen: list[int] = []

    def needs_32(x: Array) -> Array:
        seen.append(x.shape[1])
        if x.shape[1] != 32:
            raise ValueError("32 columns")
        return x

    assert prove(free, attempts(needs_32))
    assert seen[:3] == [8, 1, 32]
    assert not prove(free, attempts(lambda x: refusing(0)(x)))


def test_a_model_that_takes_no_fewer_than_two_rows_is_asked_with_two() -> None:
    seen: list[int] = []

    def run(x: Array) -> Array:
        seen.append(len(x))
        return x

    assert prove(Signature(ROWS.inputs, ROWS.outputs, min_rows=2), attempts(run))
    assert seen == [2, 2, 4]


def test_nothing_is_asked_where_no_signature_is_known() -> None:
    assert not prove(Signature((TensorSpec("x"),)), attempts(lambda x: np.zeros(0)[1]))
