"""What a model takes and gives, and whether a request fits; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from modelium.model_host.errors import CannotLoad, InvalidInput
from modelium.model_host.protocol.tensors import DTYPES, Tensors, TensorSpec


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs and outputs of a model, in the order of its arguments and results."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...] = ()
    """Empty: known once it has run."""
    min_rows: int = 1
    """The fewest rows that one run takes."""
    max_rows: int = 0
    """The most; 0: any number."""

    @property
    def batches(self) -> bool:
        """Whether its first dimension is free everywhere, so that requests may share a run."""
        specs = (*self.inputs, *self.outputs)
        return bool(specs) and all(spec.shape and spec.shape[0] == -1 for spec in specs)

    def require_fit(self, given: Tensors, datatypes: dict[str, str]) -> None:
        """Raises InvalidInput, naming the tensor, what it is and what was expected."""
        known = [spec.name for spec in self.inputs]
        for name in given:
            if name not in known:
                raise InvalidInput(f"input {name!r} is not known; this model takes {_list(known)}")
        for spec in self.inputs:
            if spec.name not in given:
                given_names = _list(given) or "none"
                raise InvalidInput(f"input {spec.name!r} is missing; given: {given_names}")
            datatype, shape = datatypes[spec.name], given[spec.name].shape
            if spec.datatype not in ("", datatype):
                text = f"input {spec.name!r}: datatype {datatype}, expected {spec.datatype}"
                raise InvalidInput(text)
            if not spec.fits(shape):
                text = (
                    f"input {spec.name!r}: shape {list(shape)}, expected {list(spec.shape or ())}"
                )
                raise InvalidInput(text)
        self._require_same_rows(given)

    def _require_same_rows(self, given: Tensors) -> None:
        if not self.batches:
            return
        rows = {name: array.shape[0] for name, array in given.items()}
        if len(set(rows.values())) > 1:
            text = ", ".join(f"{name!r} has {count}" for name, count in rows.items())
            raise InvalidInput(f"inputs of one request have the same number of rows: {text}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


class _Spec(BaseModel):
    model_config = ConfigDict(extra="ignore")
    name: str
    datatype: str = ""
    shape: list[int] | None = None


class _Specs(BaseModel):
    model_config = ConfigDict(extra="ignore")
    inputs: list[_Spec]
    outputs: list[_Spec] = []


def declared(text: str) -> Signature | None:
    """The signature that somebody declares in JSON; None where there is none.

    An empty shape, like an empty datatype, says that it is not known.

    Raises:
        CannotLoad: it is not one.
    """
    if not text:
        return None
    try:
        specs = _Specs.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise CannotLoad(f"the declared signature is wrong: {place}: {problem['msg']}") from error
    if not specs.inputs and not specs.outputs:
        return None
    return Signature(tuple(map(_declared, specs.inputs)), tuple(map(_declared, specs.outputs)))


def _declared(spec: _Spec) -> TensorSpec:
    if spec.datatype and spec.datatype not in DTYPES:
        text = f"{spec.datatype!r} of {spec.name!r} is no datatype; there are {_list(DTYPES)}"
        raise CannotLoad(f"the declared signature is wrong: {text}")
    return TensorSpec(spec.name, spec.datatype, tuple(spec.shape) if spec.shape else None)
