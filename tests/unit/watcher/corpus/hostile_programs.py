"""Hostile files that are programs or archives: pickles, TorchScript, `.pt2`, ONNX, GGUF."""

import io
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

from . import made
from .cases import Case
from .made import archive, array, call, call_by_stack, gguf, key, number, onnx_file, text, torch

RUNS = "would run"
OUT = "leads out of the model's folder"


def file(name: str, file_name: str, why: str, content: bytes | Callable[[], bytes]) -> Case:
    def make(root: Path) -> Path:
        return made.write(root / file_name, content if isinstance(content, bytes) else content())

    return Case(name, make, why)


PICKLES = [
    file("a pickle that calls os.system", "x.pt", RUNS, call("os", "system")),
    file("names on the stack", "x.pth", RUNS, call_by_stack("posix", "system")),
    file("eval", "x.pt", RUNS, call("__builtin__", "eval", "1")),
    file("an unknown function", "x.pt", RUNS, call("some.library", "load")),
    file("pkgutil.resolve_name", "x.pt", RUNS, call("pkgutil", "resolve_name", "os:system")),
    file("operator.attrgetter", "x.pt", RUNS, call("operator", "attrgetter")),
    file("by INST", "x.pt", RUNS, b"(X\x04\x00\x00\x00trueios\nsystem\n."),
    file("by a number", "x.pt", "by a number", b"\x80\x02\x82\x01X\x04\x00\x00\x00true\x85R."),
    file("run before its end is missed", "x.pt", "pickle", call("os", "system")[:-1]),
    file("in the second of two", "x.pt", RUNS, made.HARMLESS + call("os", "system")),
    file(
        "unfinished behind a harmless one", "x.pt", RUNS, made.HARMLESS + call("os", "system")[:-1]
    ),
    file("memory that misleads", "x.pt", RUNS, made.REMEMBERED),
    file("no pickle at all", "x.pt", "pickle", os.urandom(64)),
    file("a thousand pickles", "x.pt", "in a row", made.HARMLESS * 1000),
    file(
        "a state dict without a program", "x.pt", "", lambda: (made.TORCH / "state.pt").read_bytes()
    ),
    file("a whole pickled module", "x.pt", RUNS, lambda: (made.TORCH / "whole.pt").read_bytes()),
]

SCRIPT = "scripted.pt"


def zipped(entry: str, content: bytes = b"x", **about: int) -> Callable[[], bytes]:
    """A good archive with an entry that has attributes of its own."""

    def make() -> bytes:
        opened = io.BytesIO(torch(SCRIPT))
        with zipfile.ZipFile(opened, "a") as grown:
            info = zipfile.ZipInfo(entry)
            for name, value in about.items():
                setattr(info, name, value)
            grown.writestr(info, content)
        return opened.getvalue()

    return make


def damaged() -> bytes:
    """One bit of the pickle is another than its checksum says."""
    content = bytearray(torch(SCRIPT))
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        info = next(it for it in opened.infolist() if it.filename.endswith("/data.pkl"))
    content[info.header_offset + 30 + len(info.filename) + 40] ^= 1
    return bytes(content)


def overlapping() -> bytes:
    """Two entries of the list are one place of the file, as in bombs that unpack for years."""
    content = archive({"m/data.pkl": made.HARMLESS, "m/data.pkx": made.HARMLESS})
    at = content.rindex(b"PK\x01\x02")
    return content[: at + 42] + bytes(4) + content[at + 46 :]


def locked() -> bytes:
    content = bytearray(torch(SCRIPT))
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    return bytes(content)


def bomb() -> bytes:
    return archive(
        {"m/data/0": bytes(65 << 20), "m/data.pkl": made.HARMLESS}, method=zipfile.ZIP_DEFLATED
    )


def nested() -> bytes:
    inner = archive({"m/data.pkl": made.HARMLESS})
    return torch("exported.pt2", {"data/x.pt": archive({"m/inner.pt": inner})})


LINK = (stat.S_IFLNK | 0o777) << 16
ARCHIVES = [
    file("an entry that climbs", "x.pt", OUT, zipped("../../etc/cron.d/x")),
    file("an entry with an absolute path", "x.pt", OUT, zipped("/etc/x")),
    file("an entry that climbs by backslashes", "x.pt2", OUT, zipped("m\\..\\..\\x")),
    file(
        "an entry that is a link",
        "x.pt",
        "has the link",
        zipped("m/link", b"/etc", external_attr=LINK),
    ),
    file(
        "an entry twice",
        "x.pt",
        "twice",
        lambda: archive({"m/data.pkl": made.HARMLESS}, twice="m/data.pkl"),
    ),
    file(
        "an entry with a zero in its name",
        "x.pt",
        OUT,
        lambda: archive({"m/a_b": b""}).replace(b"m/a_b", b"m/a\x00b"),
    ),
    file("a zip bomb", "x.pt", "is a zip bomb", bomb),
    file("entries that overlap", "x.pt", "overlap", overlapping),
    file("an encrypted entry", "x.pt", "encrypted", locked),
    file("a wrong checksum", "x.pt", "checksum", damaged),
    file("a truncated archive", "x.pt", "incomplete or damaged", lambda: torch(SCRIPT)[:-200]),
    file("something before the archive", "x.pt", "", lambda: made.HARMLESS + torch(SCRIPT)),
    file(
        "an archive behind an archive",
        "x.pt2",
        "before its first entry",
        lambda: archive({"m/x": b""}) + torch(SCRIPT),
    ),
    file(
        "packed in an unknown way",
        "x.pt",
        "packs",
        lambda: archive({"m/x": b"x" * 99}, method=zipfile.ZIP_LZMA),
    ),
    file(
        "TorchScript whose object runs",
        "x.pt",
        RUNS,
        lambda: torch(SCRIPT, {"data.pkl": call("os", "system")}),
    ),
    file(
        "constants that run",
        "x.pt",
        RUNS,
        lambda: torch(SCRIPT, {"constants.pkl": call("os", "system")}),
    ),
    file(
        "a pickle under another name",
        "x.pt",
        RUNS,
        lambda: torch(SCRIPT, {"extra/notes": call("os", "system")}),
    ),
    file(
        "TorchScript that writes files",
        "x.pt",
        "reads or writes files",
        lambda: torch(SCRIPT, {"code/__torch__/x.py": b"torch.save(x, '/tmp/x')"}),
    ),
    file(
        "TorchScript that reads files",
        "x.pt",
        "reads or writes files",
        lambda: torch(SCRIPT, {"code/__torch__/x.py": b"y = torch.from_file('/etc/passwd')"}),
    ),
    file(
        "machine code in .pt2",
        "x.pt2",
        "machine code",
        lambda: torch("exported.pt2", {"data/aotinductor/model/m.so": b"\x7fELF"}),
    ),
    file(
        "inputs of .pt2 that run",
        "x.pt2",
        RUNS,
        lambda: torch(
            "exported.pt2",
            {"data/sample_inputs/model.pt": archive({"m/data.pkl": call("os", "system")})},
        ),
    ),
    file("archives in archives in archives", "x.pt2", "archive in an archive", nested),
]


def beside(name: str, why: str, content: bytes, *, write: int = 16, link: bool = False) -> Case:
    """An ONNX file in a folder, with `w.bin` beside it."""

    def make(root: Path) -> Path:
        made.write(root.parent / "secret.bin", bytes(64))
        made.write(root / "m" / "model.onnx", content)
        if link:
            (root / "m" / "w.bin").symlink_to("inner.bin")
            made.write(root / "m" / "inner.bin", bytes(64))
        elif write:
            made.write(root / "m" / "w.bin", bytes(write))
        return root / "m"

    return Case(name, make, why)


def said_twice() -> bytes:
    model = made.graph(location="w.bin")
    entry = model.graph.initializer[0].external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    return bytes(model.SerializeToString())


def in_a_function() -> bytes:
    from onnx import helper

    model = made.graph()
    hidden = made.graph(location="/etc/passwd", in_node=True).graph.node[0]
    model.functions.append(
        helper.make_function("own", "F", ["x"], ["w"], [hidden], [helper.make_opsetid("", 20)])
    )
    return bytes(model.SerializeToString())


ONNX = [
    beside("data by a path that climbs", OUT, onnx_file(location="../../secret.bin")),
    beside("data by an absolute path", OUT, onnx_file(location="/etc/passwd")),
    beside("data by a drive", OUT, onnx_file(location="C:\\w.bin")),
    beside("data by a link", "which is a link", onnx_file(location="w.bin"), link=True),
    beside("data that is not there", "w.bin is missing", onnx_file(location="w.bin"), write=0),
    beside("data behind the end", "data behind its end", onnx_file(location="w.bin", offset=8)),
    beside(
        "a length beyond all", "data behind its end", onnx_file(location="w.bin", length=1 << 62)
    ),
    beside("a negative offset", "number of bytes", onnx_file(location="w.bin", offset=-8)),
    beside("an offset in words", "number of bytes", onnx_file(location="w.bin", offset="x")),
    beside("two places of one tensor", "does not say clearly", said_twice()),
    beside("data of a constant elsewhere", OUT, onnx_file(location="/etc/passwd", in_node=True)),
    beside("data of a function elsewhere", OUT, in_a_function()),
    file("no ONNX", "x.onnx", "is no ONNX file", b"\x08\xff\xff\xff"),
    file("half an ONNX", "x.onnx", "", onnx_file()[:60]),
    file("an empty ONNX", "x.onnx", "", b""),
]

KEY_TWICE = key("llama.block_count", 4, number(9))
GGUF = [
    file("2^60 tensors", "x.gguf", "more than its size allows", gguf(tensors=1 << 60)),
    file("2^60 keys", "x.gguf", "more than any model", gguf(keys=1 << 60)),
    file("a text of 2^60 bytes", "x.gguf", "are read", gguf(number(1 << 60, 8))),
    file(
        "a list of 2^60 words",
        "x.gguf",
        "more than its size allows",
        gguf(key("a", 9, array(8, 1 << 60, b""))),
    ),
    file(
        "a list of 2^60 numbers",
        "x.gguf",
        "behind its end",
        gguf(key("a", 9, array(4, 1 << 60, b""))),
    ),
    file("lists in lists", "x.gguf", "too deep", gguf(key("a", 9, array(9, 1, b"") * 500))),
    file("a key of GGUF twice", "x.gguf", "twice", gguf(KEY_TWICE)),
    file(
        "a template of GGUF that escapes",
        "x.gguf",
        "reaches for code",
        gguf(key("tokenizer.chat_template", 8, text("{{ x.__class__ }}"))),
    ),
    file(
        "a named template of GGUF that escapes",
        "x.gguf",
        "reaches for code",
        gguf(key("tokenizer.chat_template.tool", 8, text("{{ x.__class__ }}"))),
    ),
    file("GGUF of a later version", "x.gguf", "version 99", gguf(version=99)),
    file("a value of an unknown type", "x.gguf", "unknown type", gguf(key("a", 77, b""))),
    file(
        "an alignment that is none",
        "x.gguf",
        "alignment",
        gguf(key("general.alignment", 4, number(7))),
    ),
    file("half a header of GGUF", "x.gguf", "behind its end", gguf()[:90]),
    file("a tensor that overflows", "x.gguf", "cannot be", gguf(shape=(1 << 40, 1 << 40))),
    file("a tensor of many dimensions", "x.gguf", "dimensions", gguf(shape=(1,) * 4000)),
    file("a tensor behind the end", "x.gguf", "behind its end", gguf(offset=1 << 40)),
    file(
        "a name that is no text",
        "x.gguf",
        "no UTF-8",
        gguf(number(1, 8) + b"\xff" + number(4) + number(4)),
    ),
    file("no GGUF", "x.gguf", "is no GGUF", b"PK\x03\x04" * 20),
]

CASES = [*PICKLES, *ARCHIVES, *ONNX, *GGUF]
