"""How files come into a watch directory, step by step, as the programs of people do it.

Each is a generator: between two steps it yields how long it may pause. `Pause.ANY` where a program
may hang for long; `Pause.SHORT` where nothing on the disk says that more is to come.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from pathlib import Path
from random import Random
from typing import BinaryIO

from modelium.common.testing import FakeClock
from modelium.watcher.completeness.headers import PAGE_BYTES
from modelium.watcher.completeness.writers import is_being_written

Contents = Mapping[str, bytes]
"""The files of a model by their path below its folder, or beside each other."""


class Pause(Enum):
    SHORT = auto()
    ANY = auto()


Steps = Iterator[Pause]


def tells_holes(folder: Path) -> bool:
    """Whether the file system says which parts of a file were never written."""
    with (folder / "probe").open("wb") as file:
        file.truncate(1 << 20)
        return os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 0


def tells_writers(folder: Path) -> bool:
    """Whether the kernel says that somebody has a file open for writing."""
    with (folder / "probe").open("wb"):
        return is_being_written(folder / "probe")


class Disk:
    """Writes files whose times are the fake clock's: every write is a change, as on a real one."""

    def __init__(self, clock: FakeClock, random: Random, elsewhere: Path) -> None:
        self._clock = clock
        self._written = 0
        self.random = random
        self.elsewhere = elsewhere
        """On the same file system, and not watched."""

    def touch(self, path: Path) -> None:
        self._written += 1
        at_ns = int(self._clock.monotonic() * 1e9) + self._written
        os.utime(path, ns=(at_ns, at_ns))

    def pieces(self, content: bytes) -> list[bytes]:
        """Of any sizes; only the last is never smaller than what a zero may hide."""
        inner = range(1, max(len(content) - 8, 1))
        cuts = sorted(self.random.sample(inner, min(self.random.randint(0, 3), len(inner))))
        starts = [0, *cuts]
        return [content[a:b] for a, b in zip(starts, [*cuts, len(content)], strict=True)]


def grown(disk: Disk, path: Path, content: bytes, *, upto: int | None = None) -> Steps:
    """As `cp` and `wget` write: from the beginning, over what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = disk.random.random() < 0.5
    file = path.open("wb", buffering=0)
    disk.touch(path)
    yield Pause.ANY
    yield from _written(disk, path, disk.pieces(content[:upto]), file, held=held)


def preallocated(disk: Disk, path: Path, content: bytes, *, upto: int | None = None) -> Steps:
    """At its full length first, with blocks or without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("wb", buffering=0)
    if disk.random.random() < 0.5:
        os.posix_fallocate(file.fileno(), 0, len(content))
    else:
        file.truncate(len(content))
    disk.touch(path)
    yield Pause.ANY
    held = disk.random.random() < 0.5
    yield from _written(disk, path, disk.pieces(content[:upto]), file, held=held)


def _written(disk: Disk, path: Path, parts: list[bytes], file: BinaryIO, *, held: bool) -> Steps:
    """`held`: open all the time, as here; else opened for each write, as from another machine."""
    at = 0
    for part in parts:
        if not held:
            file.close()
            file = path.open("r+b", buffering=0)
            file.seek(at)
        file.write(part)
        at += len(part)
        if not held:
            file.close()
        disk.touch(path)
        yield Pause.ANY
    file.close()


def scattered(disk: Disk, path: Path, content: bytes) -> Steps:
    """As torrents come, the ends perhaps first; as a plain copy where no file system tells."""
    if not tells_holes(disk.elsewhere):
        yield from grown(disk, path, content)
        return
    with path.open("wb") as file:
        file.truncate(len(content))
    disk.touch(path)
    yield Pause.ANY
    starts = range(0, len(content), PAGE_BYTES)
    for start in disk.random.sample(starts, len(starts)):
        with path.open("r+b") as file:
            file.seek(start)
            file.write(content[start : start + PAGE_BYTES])
        disk.touch(path)
        yield Pause.ANY


def in_place(disk: Disk, path: Path, content: bytes) -> Steps:
    """Over what was there, which stays behind what is written; nothing but the writer shows it."""
    if not tells_writers(disk.elsewhere):
        yield from grown(disk, path, content)
        return
    with path.open("r+b", buffering=0) as file:
        for piece in disk.pieces(content):
            file.write(piece)
            disk.touch(path)
            yield Pause.ANY
        file.truncate(len(content))
        disk.touch(path)


Writer = Callable[[Disk, Path, bytes], Steps]


def renamed(disk: Disk, path: Path, content: bytes, unfinished: Path, writer: Writer) -> Steps:
    yield from writer(disk, unfinished, content)
    unfinished.replace(path)
    yield Pause.ANY


def rsync(disk: Disk, path: Path, content: bytes) -> Steps:
    suffix = "".join(disk.random.choices("abcXYZ", k=5)) + "7"
    yield from renamed(disk, path, content, path.with_name(f".{path.name}.{suffix}"), grown)


def browser(disk: Disk, path: Path, content: bytes) -> Steps:
    ending = disk.random.choice([".crdownload", ".part", ".incomplete"])
    yield from renamed(disk, path, content, path.with_name(path.name + ending), grown)


def aria2(disk: Disk, path: Path, content: bytes) -> Steps:
    path.parent.mkdir(parents=True, exist_ok=True)
    control = path.with_name(f"{path.name}.aria2")
    control.touch()
    yield Pause.ANY
    yield from preallocated(disk, path, content)
    control.unlink()


def _each(disk: Disk, target: Path, contents: Contents) -> list[tuple[Path, bytes]]:
    """In any order, as directories are read."""
    names = disk.random.sample(sorted(contents), len(contents))
    return [(target / name, contents[name]) for name in names]


def one_by_one(writer: Writer) -> Callable[[Disk, Path, Contents], Steps]:
    def steps(disk: Disk, target: Path, contents: Contents) -> Steps:
        for path, content in _each(disk, target, contents):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield from writer(disk, path, content)

    return steps


def at_once(disk: Disk, target: Path, contents: Contents) -> Steps:
    """Several files at a time."""
    running = [grown(disk, path, content) for path, content in _each(disk, target, contents)]
    while running:
        steps = disk.random.choice(running)
        pause = next(steps, None)
        if pause is None:
            running.remove(steps)
        else:
            yield pause


def hub(disk: Disk, target: Path, contents: Contents) -> Steps:
    cache = target / ".cache" / "huggingface" / "download"
    for number, (path, content) in enumerate(_each(disk, target, contents)):
        cache.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        (cache / f"{path.name}.lock").touch()
        yield from renamed(disk, path, content, cache / f"{number}.incomplete", grown)


def clone(disk: Disk, target: Path, contents: Contents) -> Steps:
    """The files, large ones as pointers; then `git lfs pull`."""
    lock = target / ".git" / "index.lock"
    lock.parent.mkdir(parents=True)
    yield Pause.ANY
    lock.touch()
    large = {name for name in contents if not name.endswith(".json")}
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"
    for path, content in _each(disk, target, contents):
        small = pointer if str(path.relative_to(target)) in large else content
        yield from grown(disk, path, small)
    lock.unlink()
    yield Pause.ANY
    for name in sorted(large):
        yield from grown(disk, target / name, contents[name])


def moved(disk: Disk, target: Path, contents: Contents) -> Steps:
    """From the same file system, with what was there before moved away."""
    made = disk.elsewhere / f"new {target.name}"
    for path, content in _each(disk, made, contents):
        for _ in grown(disk, path, content):
            pass
    if target.exists():
        target.rename(disk.elsewhere / f"old {target.name}")
        yield Pause.SHORT
    made.rename(target)


def removed(disk: Disk, target: Path, contents: Contents) -> Steps:
    for path, _ in _each(disk, target, contents):
        path.unlink()
        yield Pause.SHORT
    shutil.rmtree(target)
