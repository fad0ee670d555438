"""TorchScript (`torch.jit.save`): a program as text, beside tensors and a pickle that ties them.

The input's shape is known of a traced model only: tracing keeps what it was traced with.
"""

import ast
import re
from typing import Final

from modelium.common.descriptor import Descriptor, RuntimeKind, Task, TensorSpec
from modelium.common.errors import InvalidModel
from modelium.watcher.formats.datatypes import oip_datatype
from modelium.watcher.formats.files import Files
from modelium.watcher.formats.torch_archive import Archive, open_archive
from modelium.watcher.formats.torch_pickle import Contents, Name, Tensor, read_pickle

OBJECT: Final = "data.pkl"
_TRACED: Final = "traced_inputs.pkl"
_FORWARD: Final = re.compile(r"^  def forward\((.*?)\)(?: -> (.*?))?:$", re.MULTILINE | re.DOTALL)
_TENSOR: Final = "Tensor"


def describe(files: Files, name: str) -> Descriptor:
    """What the program's text and the tensors' list say.

    Raises:
        InvalidModel: it is damaged, or has no `forward`.
    """
    with open_archive(files, name) as archive:
        contents = read_pickle(archive.read(OBJECT), f"{OBJECT} in {name}")
        root = _root(contents, name)
        header = _forward(archive, root, name)
        traced = _traced(archive)
    storages = contents.storages.values()
    by_dtype: dict[str, int] = {}
    for storage in storages:
        by_dtype[storage.dtype] = by_dtype.get(storage.dtype, 0) + storage.size_bytes
    takes = _inputs(header, traced, name)
    return Descriptor(
        format="torchscript",
        framework="torch",
        architecture=root.name,
        task=Task.TENSOR,
        runtime=RuntimeKind.RAY_SERVE,
        dtype=max(by_dtype, key=lambda dtype: by_dtype[dtype], default=""),
        parameters=sum(storage.count for storage in storages),
        weight_bytes=sum(by_dtype.values()),
        weight_bytes_by_dtype=by_dtype,
        inputs=takes,
        outputs=_outputs(header),
        missing=_unknown(takes),
    )


def _root(contents: Contents, title: str) -> Name:
    for name in contents.names:
        if name.module.split(".")[0] == "__torch__":
            return name
    raise InvalidModel(f"{title} has no module")


def _forward(archive: Archive, root: Name, title: str) -> ast.FunctionDef:
    """The head of the root's `forward`, parsed: TorchScript is written as Python's text is."""
    text = archive.read(f"code/{root.module.replace('.', '/')}.py").decode(errors="replace")
    body = text.partition(f"class {root.name}(Module):")[2].partition("\nclass ")[0]
    found = _FORWARD.search(body)
    if not found:
        raise InvalidModel(f"{title} has no forward method, which is what a request calls")
    try:
        parsed = ast.parse(f"def forward({found[1]}) -> {found[2] or 'None'}: pass").body[0]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        parsed = None
    if not isinstance(parsed, ast.FunctionDef):
        raise InvalidModel(f"the forward method of {title} cannot be read")
    return parsed


def _traced(archive: Archive) -> list[Tensor]:
    """What it was traced with; nothing of a scripted one."""
    if _TRACED not in archive:
        return []
    return read_pickle(archive.read(_TRACED), _TRACED).tensors


def _inputs(header: ast.FunctionDef, traced: list[Tensor], title: str) -> tuple[TensorSpec, ...]:
    """The tensors that a call must give, in their order."""
    arguments = header.args.args[1:]
    required = arguments[: len(arguments) - len(header.args.defaults)]
    kinds = {each.arg: ast.unparse(each.annotation) for each in required if each.annotation}
    for name, kind in kinds.items():
        if kind != _TENSOR:
            raise InvalidModel(
                f"the input {name} of {title} is a {kind}, which no request can carry: "
                "export the model so that it takes tensors only"
            )
    if len(traced) != len(kinds):
        return tuple(TensorSpec(name=name, datatype="") for name in kinds)
    return tuple(map(_like, kinds, traced))


def _like(name: str, example: Tensor) -> TensorSpec:
    """By convention the first dimension counts the rows, of which there may be any number."""
    shape = (-1, *example.shape[1:]) if example.shape else ()
    return TensorSpec(name=name, datatype=oip_datatype(example.dtype), shape=shape)


def _outputs(header: ast.FunctionDef) -> tuple[TensorSpec, ...]:
    """How many tensors it gives; their names are ours."""
    said = header.returns
    if said is None or ast.unparse(said) == _TENSOR:
        return (TensorSpec(name="output", datatype=""),)
    if isinstance(said, ast.Subscript) and ast.unparse(said.value) == "Tuple":
        parts = said.slice.elts if isinstance(said.slice, ast.Tuple) else [said.slice]
        return tuple(TensorSpec(name=f"output_{n}", datatype="") for n in range(len(parts)))
    return ()


def _unknown(takes: tuple[TensorSpec, ...]) -> tuple[str, ...]:
    if all(spec.datatype for spec in takes):
        return ()
    return ("`inputs` in model.yaml: a scripted model does not say the types and shapes it takes",)
