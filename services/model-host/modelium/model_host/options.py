"""The command line."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FORMATS: Final = ("torchscript", "pt2", "onnx", "huggingface")
TASKS: Final = ("tensor", "vision", "classify", "embedding")
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the host serves, and within which limits."""

    name: str
    aliases: tuple[str, ...] = ()
    path: Path
    format: str
    task: str
    host: str = "127.0.0.1"
    port: int = 8080
    mode: str = "solo"
    device: str = "cpu"
    memory_bytes: int = 0
    threads: int = 1
    max_batch: int = 32
    batch_wait_ms: float = 0.0
    max_queue: int = 256
    drain_seconds: float = 20.0
    signature: str = ""
    max_body_bytes: int = 64 * _MIB
    max_held_bytes: int = 128 * _MIB
    max_rows: int = 2048
    max_image_pixels: int = 50_000_000
    max_pixels: int = 200_000_000


def parse(arguments: list[str]) -> Options:
    """The options of a command line; a wrong one ends the process with 2 and says what is."""
    given = vars(_parser().parse_args(arguments))
    return Options(**given | {"aliases": tuple(given["aliases"])})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("modelium.model_host", description=__doc__)
    add = parser.add_argument
    add("--name", required=True, help="under which the model is served")
    add("--alias", dest="aliases", action="append", default=[], help="a further name for it")
    add("--path", required=True, type=Path, help="its file or folder")
    add("--format", required=True, choices=FORMATS)
    add("--task", required=True, choices=TASKS)
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8080)
    add("--mode", choices=("solo", "ray"), default="solo", help="uvicorn, or a Ray Serve replica")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--memory-bytes", type=_at_least_0, default=0, help="of the GPU, at most; 0: all of it")
    add("--threads", type=_at_least_1, default=_cores(), help="of one run on the CPU")
    add("--max-batch", type=_at_least_1, default=32, help="rows of one run")
    add("--batch-wait-ms", type=float, default=0.0, help="that a request waits for company")
    add("--max-queue", type=_at_least_1, default=256, help="requests that may wait; then 503")
    add("--drain-seconds", type=float, default=20.0, help="that requests have after SIGTERM")
    add("--signature", default="", help='{"inputs": [{"name", "datatype", "shape"}], "outputs"}')
    add("--max-body-bytes", type=_at_least_1, default=64 * _MIB, help="of a request; then 413")
    held = "of all requests under way; then 503"
    add("--max-held-bytes", type=_at_least_1, default=128 * _MIB, help=held)
    add("--max-rows", type=_at_least_1, default=2048, help="of a request, in all; then 413")
    add("--max-image-pixels", type=_at_least_1, default=50_000_000, help="of an image; then 413")
    add("--max-pixels", type=_at_least_1, default=200_000_000, help="of a request; then 413")
    return parser


def _at_least_0(text: str) -> int:
    return _at_least(text, 0)


def _at_least_1(text: str) -> int:
    return _at_least(text, 1)


def _at_least(text: str, least: int) -> int:
    if not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of {least} or more")
    return int(text)


def _cores() -> int:
    return len(os.sched_getaffinity(0))
