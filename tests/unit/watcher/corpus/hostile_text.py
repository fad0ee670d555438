"""Hostile folders: what their configs, templates and indexes say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cases import Case
from .made import call, folder, safetensors, tensor, write

CODE = "asks to run code of its own"
TEMPLATE = "reaches for code"
OUT = "leads out of the model's folder"
ESCAPE = "{{ ''.__class__.__mro__[1].__subclasses__() }}"


def hf(name: str, why: str, files: dict[str, Any], **config: Any) -> Case:
    return Case(name, lambda root: folder(root / "m", files, **config), why)


def index(shards: Any) -> dict[str, Any]:
    return {"model.safetensors.index.json": {"weight_map": shards}}


def with_link(target: Callable[[Path], Path], name: str) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        made = folder(root / "m")
        (made / name).unlink(missing_ok=True)
        (made / name).symlink_to(target(root))
        return made

    return make


def outside(root: Path) -> Path:
    return write(root.parent / "secret", safetensors({"w": tensor()}))


CONFIGS = [
    hf("auto_map in config.json", CODE, {}, auto_map={"AutoModel": "modeling.M"}),
    hf("auto_map of another repository", CODE, {}, auto_map={"AutoModel": "a/b--modeling.M"}),
    hf("auto_map in an inner config", CODE, {}, text_config={"auto_map": {"AutoConfig": "c.C"}}),
    hf("auto_map of the tokenizer", CODE, {"tokenizer_config.json": {"auto_map": {"A": ["t.T"]}}}),
    hf("auto_map of the processor", CODE, {"preprocessor_config.json": {"auto_map": {"A": "p.P"}}}),
    hf("code for generating", CODE, {"generation_config.json": {"custom_generate": "g.py"}}),
    hf("code for pipelines", CODE, {}, custom_pipelines={"x": {"impl": "pipe.P"}}),
    hf("model_file", CODE, {}, model_file="model.py"),
    hf("trust_remote_code", CODE, {}, trust_remote_code=True),
    hf(
        "a module of sentence-transformers of its own",
        CODE,
        {"modules.json": [{"idx": 0, "path": "", "type": "evil.Module"}]},
    ),
    hf("a template that escapes", TEMPLATE, {"tokenizer_config.json": {"chat_template": ESCAPE}}),
    hf(
        "one of several templates that escapes",
        TEMPLATE,
        {
            "tokenizer_config.json": {
                "chat_template": [
                    {"name": "default", "template": "{{ messages }}"},
                    {"name": "tool_use", "template": ESCAPE},
                ]
            }
        },
    ),
    hf("chat_template.jinja that escapes", TEMPLATE, {"chat_template.jinja": ESCAPE}),
    hf(
        "a template that escapes by a filter",
        TEMPLATE,
        {"chat_template.jinja": "{{ x | attr('a') }}"},
    ),
    hf(
        "chat_template.json that escapes",
        TEMPLATE,
        {"chat_template.json": {"chat_template": "{{ cycler.__init__.__globals__ }}"}},
    ),
    hf("a template of 2 MiB", "are not read", {"chat_template.jinja": "x" * (2 << 20)}),
    hf("a key twice", "twice", {"config.json": '{"architectures": ["A"], "architectures": ["B"]}'}),
    hf("a config nested 100,000 deep", "too deep", {"config.json": '{"a":' * 100_000}),
    hf("a config of 5 MiB", "are not read", {"config.json": '{"a": "' + "x" * (5 << 20) + '"}'}),
    hf("a config that is a web page", "is no JSON", {"config.json": "<html>404</html>"}),
    hf("a config that is no text", "is no JSON", {"config.json": b"\xff\xfe\x00\x80" * 9}),
    hf("a config that is a list", "config.json", {"config.json": "[]"}),
    hf("a config with wrong types", "config.json", {}, architectures="Qwen", num_hidden_layers=-1),
    hf("a config with a number that ends nowhere", "config.json", {}, num_hidden_layers=10**400),
    hf("an index that climbs", OUT, index({"w": "../other/model.safetensors"})),
    hf("an index with an absolute path", OUT, index({"w": "/etc/passwd"})),
    hf("an index with a drive", OUT, index({"w": "C:\\x.safetensors"})),
    hf("an index that climbs by backslashes", OUT, index({"w": "..\\x.safetensors"})),
    hf("an index with a list", "is no list of weight files", index(["model.safetensors"])),
    hf("an index with numbers", "is no list of weight files", index({"w": 1})),
    hf(
        "an index with a key twice",
        "twice",
        {"model.safetensors.index.json": '{"weight_map": {"a": "x", "a": "y"}}'},
    ),
    Case("weights that are a link out", with_link(outside, "model.safetensors"), "leads out"),
    Case("a tokenizer that is a link out", with_link(outside, "tokenizer.json"), "leads out"),
    Case("a link to a device", with_link(lambda _: Path("/dev/zero"), "x.json"), "leads out"),
    hf(
        "pickled weights that run",
        "pickle",
        {"model.safetensors": None, "pytorch_model.bin": call("os", "system")},
    ),
    hf(
        "pickled weights, harmless or not",
        "pickle",
        {"model.safetensors": None, "pytorch_model.bin": b"\x80\x02}."},
    ),
    hf(
        "a pickle in a module's folder",
        "would run",
        {
            "modules.json": [
                {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}
            ],
            "2_Dense/config.json": {},
            "2_Dense/pytorch_model.bin": call("builtins", "exec"),
        },
    ),
]

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join(f'*{last}' for _ in range(9))}]"
    for last, name in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = [
    hf("a bomb of aliases", "anchors or aliases", {"model.yaml": BOMB}),
    hf(
        "an object in YAML",
        "has the tag",
        {"model.yaml": "a: !!python/object/apply:os.system [id]"},
    ),
    hf("a key of the settings twice", "twice", {"modelium.yaml": "context: 8\ncontext: 9"}),
    hf("settings nested deep", "deeper", {"model.yaml": "a: " + "[" * 900 + "]" * 900}),
    hf("settings of 100 KiB", "are not read", {"model.yaml": "# " + "x" * (100 << 10)}),
    hf("settings that are no YAML", "is no YAML", {"model.yaml": "a: [b"}),
]

GOOD_TENSOR = {"w": tensor()}


def weights(name: str, why: str, content: bytes) -> Case:
    return hf(name, why, {"model.safetensors": content})


def sparse(root: Path) -> Path:
    made = folder(root / "m")
    with (made / "model.safetensors").open("wb") as opened:
        opened.write((90 << 20).to_bytes(8, "little"))
        opened.truncate(100 << 20)
    return made


SAFETENSORS = [
    weights("an empty weight file", "model.safetensors is empty: copy it again", b""),
    weights("a header of 2^63 bytes", "incomplete or damaged", b"\xff" * 8 + b"{}"),
    weights("a header longer than the file", "incomplete", b"\x00\x10" + bytes(6) + b"{}"),
    Case("a header of 90 MiB", sparse, "more than is read"),
    weights(
        "a tensor twice",
        "twice",
        safetensors(b'{"w": %s, "w": %s}' % ((json.dumps(tensor()).encode(),) * 2)),
    ),
    weights("a header nested deep", "too deep", safetensors(b'{"w":' * 50_000)),
    weights("a header that is no JSON", "is no JSON", safetensors(b"\x80\x02}.")),
    weights("a header that is a list", "no list of tensors", safetensors(b"[]")),
    weights(
        "a range behind the end",
        "is cut off: it has 139 of 4,171 bytes; copy it again",
        safetensors({"w": tensor(0, 4096, shape=(1024,))}),
    ),
    weights("a negative range", "what cannot be", safetensors({"w": tensor(-64, 0)})),
    weights(
        "a size that overflows",
        "what cannot be",
        safetensors({"w": tensor(shape=(1 << 32, 1 << 32))}),
    ),
    weights(
        "a shape of many lengths", "what cannot be", safetensors({"w": tensor(shape=(1,) * 5000)})
    ),
    weights("a shape of words", "what cannot be", safetensors({"w": tensor(shape=("x",))})),  # type: ignore[arg-type]
    weights("a tensor without a range", "what cannot be", safetensors({"w": {"dtype": "F32"}})),
    weights(
        "ranges that overlap", "damaged", safetensors({"v": tensor(0, 64), "w": tensor(32, 96)}, 96)
    ),
    weights("bytes of nobody", "damaged", safetensors(GOOD_TENSOR, 4096)),
    weights("a shape that is not its range", "damaged", safetensors({"w": tensor(shape=(3,))})),
    weights("an unknown type", "damaged", safetensors({"w": tensor(dtype="PICKLE")})),
]

CASES = [*CONFIGS, *YAML, *SAFETENSORS]
