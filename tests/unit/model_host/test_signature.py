"""Whether a request fits a signature."""

import numpy as np
import pytest

from modelium.model_host.errors import CannotLoad, InvalidInput
from modelium.model_host.protocol.signature import Signature, declared
from modelium.model_host.protocol.tensors import TensorSpec

IDS = TensorSpec("ids", "INT64", (-1, -1))
MASK = TensorSpec("mask", "INT64", (-1, 4))
BOTH = Signature((IDS, MASK), (TensorSpec("y", "FP32", (-1, 2)),))
INT = {"ids": "INT64", "mask": "INT64"}


def test_what_fits_is_let_through() -> None:
    BOTH.require_fit({"ids": np.zeros((2, 7)), "mask": np.zeros((2, 4))}, INT)


@pytest.mark.parametrize(
    ("ids", "mask", "datatypes", "says"),
    [
        ((2, 7), (2, 5), INT, "input 'mask': shape [2, 5], expected [-1, 4]"),
        ((2,), (2, 4), INT, "input 'ids': shape [2], expected [-1, -1]"),
        ((2, 7), (3, 4), INT, "the same number of rows: 'ids' has 2, 'mask' has 3"),
        ((2, 7), (2, 4), INT | {"ids": "INT32"}, "datatype INT32, expected INT64"),
    ],
)
def test_what_does_not_says_what_was_expected(
    ids: tuple[int, ...], mask: tuple[int, ...], datatypes: dict[str, str], says: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        BOTH.require_fit({"ids": np.zeros(ids), "mask": np.zeros(mask)}, datatypes)
    assert says in str(refused.value)


def test_inputs_that_are_missing_or_not_known_are_named() -> None:
    with pytest.raises(InvalidInput, match="input 'mask' is missing; given: 'ids'"):
        BOTH.require_fit({"ids": np.zeros((1, 1))}, INT)
    with pytest.raises(InvalidInput, match="'q' is not known; this model takes 'ids', 'mask'"):
        BOTH.require_fit({"q": np.zeros((1, 1))}, {"q": "INT64"})


@pytest.mark.parametrize(
    ("shapes", "batches"),
    [
        ([(-1, 4), (-1, 2)], True),
        ([(-1, 4), (8, 2)], False),  # one of its tensors has no rows
        ([(5, 4)], False),  # a batch that is fixed
        ([()], False),  # a scalar
        ([None], False),  # nobody knows
    ],
)
def test_requests_share_runs_only_where_the_first_dimension_is_free_everywhere(
    shapes: list[tuple[int, ...] | None], batches: bool
) -> None:
    specs = tuple(TensorSpec(f"t{at}", "FP32", shape) for at, shape in enumerate(shapes))
    assert Signature(specs).batches is batches


def test_a_declared_signature_is_read_and_an_empty_shape_is_not_known() -> None:
    text = '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}, {"name": "y", '
    found = declared(text + '"shape": []}], "outputs": []}')
    assert found == Signature((TensorSpec("x", "FP32", (-1, 4)), TensorSpec("y", "", None)))
    assert declared("") is None
    assert declared('{"inputs": [], "outputs": []}') is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "Invalid JSON"),
        ('{"inputs": [{"shape": []}]}', "inputs.0.name: Field required"),
        ('{"inputs": [{"name": "x", "datatype": "float"}]}', "'float' of 'x' is no datatype"),
    ],
)
def test_a_declared_signature_that_is_wrong_says_where(text: str, says: str) -> None:
    with pytest.raises(CannotLoad) as refused:
        declared(text)
    assert says in str(refused.value)
