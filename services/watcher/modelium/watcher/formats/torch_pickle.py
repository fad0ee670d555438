"""Reads the pickles in torch's archives as dead text: no name in them is ever looked up.

A small stack machine over the opcodes that torch writes. It keeps names, plain values and tuples,
which is enough to see the tensors; what would be called is noted and left alone.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from modelium.common.errors import InvalidModel

DTYPES: Final = {
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "DoubleStorage": ("F64", 8),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
    "QInt8Storage": ("QI8", 1),
    "QUInt8Storage": ("QU8", 1),
    "QInt32Storage": ("QI32", 4),
    "ComplexFloatStorage": ("C64", 8),
}
"""Of torch's storages: the type of an element and its bytes."""
_MOST_OPCODES: Final = 5_000_000
_MARK: Final = object()
_REBUILDS: Final = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_qtensor")


@dataclass(frozen=True)
class Name:
    """What a pickle would import."""

    module: str
    name: str


@dataclass(frozen=True)
class Storage:
    """Elements that lie in a file of the archive."""

    key: str
    dtype: str
    count: int
    size_bytes: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage."""

    dtype: str
    shape: tuple[int, ...]


@dataclass
class Contents:
    """What a pickle holds, in the order in which it is written."""

    names: list[Name] = field(default_factory=list)
    storages: dict[str, Storage] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)


def read_pickle(text: bytes, title: str) -> Contents:
    """What it would build.

    Raises:
        InvalidModel: it is no pickle, or none that torch writes.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(text)):
            if count > _MOST_OPCODES:
                raise InvalidModel(f"{title} is larger than torch writes it")
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InvalidModel(f"{title} is no pickle of torch ({error})") from None
    return machine.contents


class _Machine:
    def __init__(self) -> None:
        self.contents = Contents()
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _PUSHES:
            self._stack.append(argument)
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode]())
        elif opcode in _TUPLES:
            self._push_tuple(_TUPLES[opcode])
        elif opcode not in _NOTHING:
            steps[opcode](self, argument)

    def _push_tuple(self, count: int) -> None:
        found = tuple(self._stack[len(self._stack) - count :])
        del self._stack[len(self._stack) - count :]
        self._stack.append(found)

    def _to_mark(self) -> list[Any]:
        for at in range(len(self._stack) - 1, -1, -1):
            if self._stack[at] is _MARK:
                found = self._stack[at + 1 :]
                del self._stack[at:]
                return found
        raise ValueError("a mark is missing")

    def mark(self, _argument: Any) -> None:
        self._stack.append(_MARK)

    def tuple_(self, _argument: Any) -> None:
        self._stack.append(tuple(self._to_mark()))

    def drop_to_mark(self, _argument: Any) -> None:
        self._to_mark()

    def drop(self, _argument: Any) -> None:
        self._stack.pop()

    def drop_two(self, _argument: Any) -> None:
        self._stack.pop()
        self._stack.pop()

    def put(self, argument: Any) -> None:
        self._memo[len(self._memo) if argument is None else argument] = self._stack[-1]

    def get(self, argument: Any) -> None:
        self._stack.append(self._memo[argument])

    def global_(self, argument: Any) -> None:
        module, _, name = str(argument).partition(" ")
        self._named(module, name)

    def stack_global(self, _argument: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._named(str(module), str(name))

    def _named(self, module: str, name: str) -> None:
        self.contents.names.append(Name(module, name))
        self._stack.append(self.contents.names[-1])

    def storage(self, _argument: Any) -> None:
        kind, of, key, _device, count = self._stack.pop()[:5]
        if kind != "storage" or not isinstance(of, Name) or not isinstance(count, int):
            raise ValueError("a reference to something else than a storage")
        dtype, size = DTYPES.get(of.name, ("", 0))
        found = Storage(str(key), dtype, count, count * size)
        self.contents.storages[found.key] = found
        self._stack.append(found)

    def call(self, _argument: Any) -> None:
        arguments, what = self._stack.pop(), self._stack.pop()
        result: Any = None
        if isinstance(what, Name) and what.name in _REBUILDS:
            result = Tensor(arguments[0].dtype, _shape(arguments[2]))
            self.contents.tensors.append(result)
        self._stack.append(result)


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple) or not all(isinstance(length, int) for length in value):
        raise ValueError("a tensor without a shape")
    return value


_PUSHES: Final = frozenset(
    {"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"}
    | {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINBYTES", "SHORT_BINBYTES"}
    | {"BINSTRING", "SHORT_BINSTRING", "STRING"}
)
_CONSTANTS: Final[dict[str, Callable[[], Any]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING: Final = frozenset({"PROTO", "FRAME", "STOP"})
steps: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    "MARK": _Machine.mark,
    "TUPLE": _Machine.tuple_,
    "LIST": _Machine.tuple_,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_to_mark,
    "APPENDS": _Machine.drop_to_mark,
    "SETITEMS": _Machine.drop_to_mark,
    "ADDITEMS": _Machine.drop_to_mark,
    "APPEND": _Machine.drop,
    "SETITEM": _Machine.drop_two,
    "BUILD": _Machine.drop,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "GLOBAL": _Machine.global_,
    "STACK_GLOBAL": _Machine.stack_global,
    "BINPERSID": _Machine.storage,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
}
"""What each opcode does that is not a plain value; any other is none that torch writes."""
