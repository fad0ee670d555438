"""Requests and answers of `/v2/models/{m}/infer`, in JSON and with binary tensor data; pure."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json as json_text

from modelium.model_host.errors import InvalidInput, NotFound
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import DTYPES, Array, Tensors, datatype_of
from modelium.model_host.protocol.values import (
    from_bytes,
    from_json,
    to_bytes,
    to_json,
    whole_number,
)

HEADER_LENGTH: Final = "inference-header-content-length"
"""The header that says where the JSON ends and binary data begins."""
_MAX_RANK: Final = 32
_MAX_SIZE: Final = 1 << 40
"""The product of a shape's lengths but 0: beyond it numpy has no such array, not even an empty."""


class _Input(BaseModel):
    model_config = ConfigDict(extra="ignore")
    name: str
    shape: list[int] = Field(max_length=_MAX_RANK)
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class _Output(BaseModel):
    model_config = ConfigDict(extra="ignore")
    name: str
    parameters: dict[str, Any] = {}


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: str = ""
    parameters: dict[str, Any] = {}
    inputs: list[_Input] = Field(min_length=1)
    outputs: list[_Output] = []


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a caller asks for. `outputs`: which, and whether as binary data; empty: all of them."""

    inputs: Tensors
    datatypes: dict[str, str]
    id: str = ""
    outputs: Mapping[str, bool] = field(default_factory=dict)
    binary: bool = False
    """Of outputs that are not asked for by name."""


def read_request(body: bytes, header_length: str | None = None) -> InferRequest:
    """The request in a body; `header_length` is the value of the header `HEADER_LENGTH`.

    Raises:
        InvalidInput: 400, with the place and what was expected.
    """
    head, rest = _divided(memoryview(body), header_length)
    return _asked(lambda: _Request.model_validate_json(bytes(head)), rest)


def request_of(value: dict[str, Any]) -> InferRequest:
    """The request in an object of JSON; else as `read_request`."""
    return _asked(lambda: _Request.model_validate(value), memoryview(b""))


def _asked(validated: Callable[[], _Request], rest: memoryview) -> InferRequest:
    try:
        request = validated()
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise InvalidInput(f"{place or 'the body'}: {problem['msg']}") from error
    inputs, datatypes = _tensors(request.inputs, rest)
    binary = request.parameters.get("binary_data_output") is True
    outputs = {o.name: o.parameters.get("binary_data", binary) is True for o in request.outputs}
    return InferRequest(inputs, datatypes, request.id, outputs, binary)


def _divided(body: memoryview, header_length: str | None) -> tuple[memoryview, memoryview]:
    if header_length is None:
        return body, body[:0]
    length = whole_number(header_length)
    if length is None or length > len(body):
        text = f"{HEADER_LENGTH} is {header_length[:20]!r}; the body has {len(body)} bytes"
        raise InvalidInput(text)
    return body[:length], body[length:]


def _tensors(inputs: list[_Input], rest: memoryview) -> tuple[dict[str, Array], dict[str, str]]:
    arrays: dict[str, Array] = {}
    for given in inputs:
        if given.name in arrays:
            raise InvalidInput(f"input {given.name!r} is given twice")
        arrays[given.name], rest = _tensor(given, rest)
    if len(rest):
        raise InvalidInput(f"{len(rest)} bytes of binary data belong to no input")
    return arrays, {given.name: given.datatype for given in inputs}


def _tensor(given: _Input, rest: memoryview) -> tuple[Array, memoryview]:
    name, shape = given.name, tuple(given.shape)
    if given.datatype not in DTYPES:
        known = ", ".join(DTYPES)
        raise InvalidInput(f"input {name!r}: no datatype {given.datatype!r}; there are {known}")
    if any(length < 0 for length in shape):
        raise InvalidInput(f"input {name!r}: shape {list(shape)}, expected lengths of 0 or more")
    if math.prod(length or 1 for length in shape) > _MAX_SIZE:
        raise InvalidInput(f"input {name!r}: shape {list(shape)} is larger than any tensor here")
    size = given.parameters.get("binary_data_size")
    if size is None:
        if given.data is None:
            raise InvalidInput(f"input {name!r} has neither data nor binary_data_size")
        return from_json(name, given.datatype, shape, given.data), rest
    if type(size) is not int or not 0 <= size <= len(rest):
        text = f"input {name!r}: binary_data_size is {size!r}, {len(rest)} bytes are left"
        raise InvalidInput(text)
    return from_bytes(name, given.datatype, shape, rest[:size]), rest[size:]


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer; `header_length`: where its JSON ends, None if it is all JSON."""

    body: bytes
    header_length: int | None = None


def require_outputs(request: InferRequest, signature: Signature) -> None:
    """Raises InvalidInput where an output is asked for that the model does not have."""
    known = [spec.name for spec in signature.outputs]
    for name in request.outputs:
        if known and name not in known:
            has = ", ".join(map(repr, known))
            raise InvalidInput(f"output {name!r} is not known; this model gives {has}")


def write_answer(
    model: str, request: InferRequest, outputs: Tensors, signature: Signature
) -> Answer:
    """The answer with the outputs that were asked for.

    Raises:
        InvalidInput: 400, an output is not there, or cannot be written as JSON.
    """
    wanted = request.outputs or dict.fromkeys(outputs, request.binary)
    datatypes = {spec.name: spec.datatype for spec in signature.outputs if spec.datatype}
    entries: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for name, binary in wanted.items():
        if name not in outputs:
            raise InvalidInput(f"output {name!r} is not known; this model gave {list(outputs)}")
        array = outputs[name]
        datatype = datatypes.get(name) or datatype_of(array)
        entry: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if binary:
            blobs.append(to_bytes(datatype, array))
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = to_json(name, datatype, array)
        entries.append(entry)
    head: dict[str, Any] = {"model_name": model, "model_version": "1", "outputs": entries}
    if request.id:
        head["id"] = request.id
    text = json_text(head, inf_nan_mode="null")
    return Answer(b"".join([text, *blobs]), len(text) if blobs else None)


def require_model(asked: str, served: str, aliases: Collection[str] = ()) -> None:
    """Raises NotFound unless it is a name of the model that is served here."""
    if asked != served and asked not in aliases:
        raise NotFound(f"model {asked!r} is not served here; {served!r} is")
