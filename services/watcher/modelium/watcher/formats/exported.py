"""`.pt2` (`torch.export.save`): a graph as JSON that names its inputs and outputs, and tensors."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic_core import from_json

from modelium.common.descriptor import Descriptor, RuntimeKind, Task, TensorSpec
from modelium.common.errors import InvalidModel
from modelium.watcher.formats.datatypes import oip_datatype
from modelium.watcher.formats.files import Files
from modelium.watcher.formats.torch_archive import Archive, open_archive

_DTYPES: Final = {
    1: ("U8", 1),
    2: ("I8", 1),
    3: ("I16", 2),
    4: ("I32", 4),
    5: ("I64", 8),
    6: ("F16", 2),
    7: ("F32", 4),
    8: ("F64", 8),
    12: ("BOOL", 1),
    13: ("BF16", 2),
    28: ("U16", 2),
    29: ("F8_E4M3", 1),
    30: ("F8_E5M2", 1),
    34: ("U32", 4),
    35: ("U64", 8),
}
"""torch.export numbers its types: the name, and the bytes of an element."""
_OLD: Final = "serialized_exported_program.json"
_COMPILED: Final = "data/aotinductor"


def describe(files: Files, name: str) -> Descriptor:
    """What the graph's JSON says.

    Raises:
        InvalidModel: it is damaged, of another kind of archive, or holds machine code.
    """
    with open_archive(files, name) as archive:
        graph = _graph(archive, name)
        weights = _weights(archive)
    by_dtype: dict[str, int] = {}
    parameters = 0
    for dtype, count, size_bytes in weights:
        by_dtype[dtype] = by_dtype.get(dtype, 0) + size_bytes
        parameters += count
    takes, gives = _signature(graph, name)
    return Descriptor(
        format="pt2",
        framework="torch",
        architecture="ExportedProgram",
        task=Task.TENSOR,
        runtime=RuntimeKind.RAY_SERVE,
        dtype=max(by_dtype, key=lambda dtype: by_dtype[dtype], default=""),
        parameters=parameters,
        weight_bytes=sum(by_dtype.values()),
        weight_bytes_by_dtype=by_dtype,
        inputs=takes,
        outputs=gives,
    )


def _graph(archive: Archive, title: str) -> Any:
    if archive.below(_COMPILED):
        raise InvalidModel(
            f"{title} is compiled (AOTInductor): it holds machine code, which is not loaded; "
            "save the exported program itself, with torch.export.save"
        )
    models = [entry for entry in archive.below("models") if entry.endswith(".json")]
    if len(models) != 1:
        older = "of an older torch.export; " if _OLD in archive or not models else ""
        raise InvalidModel(
            f"{title} is {older}an archive with {len(models)} models in it, where one is needed: "
            "save it again with torch.export.save of torch 2.13"
        )
    return _parsed(archive, models[0])


def _parsed(archive: Archive, name: str) -> Any:
    try:
        return from_json(archive.read(name))
    except ValueError:
        raise InvalidModel(f"{name} in {archive.title} is no JSON") from None


def _weights(archive: Archive) -> Iterable[tuple[str, int, int]]:
    """Type, elements and bytes of each tensor; several names may share one."""
    shared: dict[str, tuple[str, int, int]] = {}
    for folder in ("data/weights", "data/constants"):
        sizes = archive.below(folder)
        for config in (entry for entry in sizes if entry.endswith("_config.json")):
            for entry in _entries(archive, config):
                path = f"{folder}/{entry.get('path_name')}"
                number = (entry.get("tensor_meta") or {}).get("dtype", 0)
                dtype, bytes_each = _DTYPES.get(number, ("", 1))
                size_bytes = sizes.get(path, 0)
                shared[path] = (dtype, size_bytes // bytes_each, size_bytes)
    return shared.values()


def _entries(archive: Archive, config: str) -> list[Mapping[str, Any]]:
    try:
        return [dict(entry) for entry in _parsed(archive, config)["config"].values()]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidModel(f"{config} in {archive.title} is no list of tensors") from None


def _signature(graph: Any, title: str) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    try:
        module = graph["graph_module"]
        values = module["graph"]["tensor_values"]
        takes = [it["user_input"]["arg"] for it in _of(module, "input", "user_input")]
        gives = [it["user_output"]["arg"] for it in _of(module, "output", "user_output")]
        strange = [next(iter(arg)) for arg in takes if not arg.keys() & {"as_tensor", "as_none"}]
        signature = _specs(takes, values), _specs(gives, values)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        raise InvalidModel(f"the graph of {title} cannot be understood") from None
    if strange:
        kind = str(strange[0]).removeprefix("as_")
        raise InvalidModel(
            f"an input of {title} is of the kind {kind}, which no request can carry: "
            "export the model so that it takes tensors only"
        )
    return signature


def _of(module: Any, side: str, kind: str) -> list[Any]:
    return [spec for spec in module["signature"][f"{side}_specs"] if kind in spec]


def _specs(arguments: Iterable[Any], values: Any) -> tuple[TensorSpec, ...]:
    names = [arg["as_tensor"]["name"] for arg in arguments if "as_tensor" in arg]
    return tuple(_spec(name, values[name]) for name in names)


def _spec(name: str, value: Any) -> TensorSpec:
    """A length that is an expression is one that may differ from call to call."""
    dtype = _DTYPES.get(value["dtype"], ("", 1))[0]
    shape = tuple(int(length.get("as_int", -1)) for length in value["sizes"])
    return TensorSpec(name=name, datatype=oip_datatype(dtype), shape=shape)
