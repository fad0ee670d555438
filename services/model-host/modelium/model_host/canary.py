"""Runs a model on made-up rows before anybody may ask it.

It must answer; and requests may share its runs only if two rows together give what each gives
alone: a free first dimension may as well be one of time.
"""

import logging
from collections.abc import Callable
from typing import Final

import numpy as np

from modelium.model_host.errors import CannotLoad
from modelium.model_host.outcomes import reason
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import BYTES, DTYPES, Array, Tensors, TensorSpec

log = logging.getLogger(__name__)

Attempt = Callable[[Tensors], Tensors | BaseException]
"""Runs the model; a failure is returned."""

_LENGTHS: Final = (8, 1, 32, 224)
"""Tried, one after the other, for dimensions that may have any length."""
_TOLERANCE: Final = 1e-3
"""Between rows together and alone: another order of sums, not another result."""


def prove(signature: Signature, attempt: Attempt, sample: Tensors | None = None) -> bool:
    """Whether requests may share the model's runs, once it has answered.

    `sample`: one row that it takes; without one it is made up from the signature.

    Raises:
        CannotLoad: it does not answer.
    """
    if sample is None and not all(s.datatype and s.shape is not None for s in signature.inputs):
        log.warning("no canary: the signature is not declared, so nothing is known to fit it")
        return False
    failures: list[str] = []
    for length in _LENGTHS if _has_free(signature) and sample is None else _LENGTHS[:1]:
        one = sample or _row(signature, length, seed=1)
        answer = attempt(one)
        if not isinstance(answer, BaseException):
            return signature.batches and _are_rows(signature, attempt, one, answer, length)
        failures.append(reason(answer))
    if len(failures) > 1:
        log.warning("no canary: no length tried fits, at first because of %s", failures[0])
        return False
    raise CannotLoad(f"it loads, and fails on its first input: {failures[0]}")


def _has_free(signature: Signature) -> bool:
    return any(-1 in (spec.shape or ())[1:] for spec in signature.inputs)


def _are_rows(
    signature: Signature, attempt: Attempt, one: Tensors, answer: Tensors, length: int
) -> bool:
    other = _row(signature, length, seed=2) if not _is_text(signature) else one
    second = attempt(other)
    both = attempt({name: np.concatenate([one[name], other[name]]) for name in one})
    if isinstance(second, BaseException) or isinstance(both, BaseException):
        log.warning("requests do not share runs: it takes one row, not two")
        return False
    if not all(_agree(both[name], answer[name], second[name]) for name in answer):
        log.warning("requests do not share runs: its rows depend on each other")
        return False
    return True


def _is_text(signature: Signature) -> bool:
    return any(spec.datatype == BYTES for spec in signature.inputs)


def _agree(both: Array, one: Array, other: Array) -> bool:
    if not one.ndim or one.shape[1:] != other.shape[1:]:
        return False
    apart = np.concatenate([one, other])
    if both.shape != apart.shape:
        return False
    if apart.dtype.kind == "f":
        return np.allclose(both, apart, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
    return np.array_equal(both, apart)


def _row(signature: Signature, length: int, *, seed: int) -> Tensors:
    """As few rows as it takes; other dimensions that are free have `length`."""
    random = np.random.default_rng(seed)
    rows = max(1, signature.min_rows)
    return {spec.name: _values(spec, rows, length, random) for spec in signature.inputs}


def _values(spec: TensorSpec, rows: int, length: int, random: np.random.Generator) -> Array:
    shape = tuple(
        fixed if fixed != -1 else (rows if at == 0 else length)
        for at, fixed in enumerate(spec.shape or ())
    )
    dtype = DTYPES[spec.datatype]
    if spec.datatype == BYTES:
        return np.full(shape, b"", object)
    if dtype.kind == "f":
        return random.random(shape).astype(dtype)
    # As an index 0 and 1 are there in almost any table.
    return random.integers(0, 2, shape).astype(dtype)
