"""`modelium.yaml` or `model.yaml` in a model's folder; `<file>.yaml` beside a single file.

What a person says there goes before what the analysis finds. Every key is typed, and an unknown one
is an error: a misspelt setting would be obeyed by nobody.
"""

from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from modelium.common.descriptor import Descriptor, Overrides, RuntimeKind, Task, TensorSpec
from modelium.common.errors import InvalidModel
from modelium.common.records import ModelName
from modelium.watcher.formats.engine_args import as_arguments
from modelium.watcher.formats.files import Files
from modelium.watcher.listing import Candidate
from modelium.watcher.safety.limits import YAML_BYTES
from modelium.watcher.safety.text import parse_yaml

NAMES: Final = ("modelium.yaml", "model.yaml", "modelium.yml", "model.yml")


def _listed(value: Any) -> Any:
    """One word may stand where a list is expected."""
    return [value] if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Tensor(_Strict):
    name: Annotated[str, StringConstraints(min_length=1, strict=True)]
    datatype: Annotated[str, StringConstraints(pattern=r"^(BOOL|BYTES|BF16|FP\d+|U?INT\d+)$")]
    shape: tuple[Annotated[int, Field(ge=-1, strict=True)], ...]


class _File(_Strict):
    """The keys that the file may have."""

    name: ModelName | None = None
    alias: Annotated[tuple[ModelName, ...], BeforeValidator(_listed)] = ()
    task: Task | None = None
    runtime: RuntimeKind | None = None
    context: Annotated[int, Field(ge=1, strict=True)] | None = None
    pin: Annotated[bool, Field(strict=True)] | None = None
    replicas: Annotated[int, Field(ge=1, strict=True)] | None = None
    engine_args: dict[str, Any] = {}
    inputs: tuple[_Tensor, ...] | None = None
    outputs: tuple[_Tensor, ...] | None = None


def name_of(candidate: Candidate) -> str | None:
    """The name that the file gives the model; None where it gives none, or cannot be understood.

    What is wrong with it is told when the model is analysed.
    """
    try:
        found = _read(Files(candidate))
    except InvalidModel:
        return None
    return found[1].name if found else None


def apply_overrides(files: Files, descriptor: Descriptor) -> Descriptor:
    """The descriptor as the file wants it.

    Raises:
        InvalidModel: the file has an unknown key or a wrong value; named with what was expected.
    """
    found = _read(files)
    if found is None:
        return descriptor
    title, said = found
    own = descriptor.context_length
    if said.context and own and said.context > own:
        raise InvalidModel(f"{title}: context: at most the model's own, {own}, is expected")
    overrides = Overrides(
        name=said.name,
        aliases=tuple(dict.fromkeys(said.alias)),
        task=said.task,
        runtime=said.runtime,
        context=said.context,
        pin=said.pin,
        replicas=said.replicas,
        engine_args=as_arguments(said.engine_args, title),
    )
    changes: dict[str, Any] = {"overrides": overrides}
    changes |= {"task": said.task} if said.task else {}
    changes |= {"inputs": _specs(said.inputs)} if said.inputs is not None else {}
    changes |= {"outputs": _specs(said.outputs)} if said.outputs is not None else {}
    if said.inputs is not None:
        changes["missing"] = tuple(it for it in descriptor.missing if not it.startswith("`inputs`"))
    return descriptor.model_copy(update=changes)


def _specs(tensors: tuple[_Tensor, ...]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name=it.name, datatype=it.datatype, shape=it.shape) for it in tensors)


def _read(files: Files) -> tuple[str, _File] | None:
    """The file's name and what it says; None where there is none."""
    beside = (f"{files.title}.yaml", f"{files.title}.yml")
    names = beside if files.candidate.is_file else NAMES
    there = [name for name in names if name in files]
    if not there:
        return None
    if len(there) > 1:
        raise InvalidModel(f"it has both {there[0]} and {there[1]}: one of them is expected")
    title = there[0]
    said = parse_yaml(files.read(title, largest_bytes=YAML_BYTES), title)
    if said is None:
        return title, _File()
    if not isinstance(said, dict):
        raise InvalidModel(f"{title}: keys with values are expected, such as `context: 4096`")
    try:
        return title, _File.model_validate(said)
    except ValidationError as error:
        raise InvalidModel(f"{title}: {_problem(error)}") from None


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        known = _Tensor if len(first["loc"]) > 1 else _File
        return f"{key}: no such key; expected is one of {', '.join(known.model_fields)}"
    message = first["msg"][:1].lower() + first["msg"][1:]
    return f"{key}: {message}, not {str(first['input'])[:80]!r}"
