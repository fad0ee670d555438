"""Runs the analysis of each candidate in a process of its own that can do nothing but read it.

With bubblewrap where it works, else with what a process can do to itself (`confinement.py`, which
is applied in either case). What the process answers is a stranger's word: it is parsed strictly,
and whatever is wrong with it is wrong with the model.
"""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from modelium.common.clock import Clock
from modelium.common.descriptor import Descriptor
from modelium.common.errors import DependencyUnavailable, InvalidModel, SettingsError
from modelium.common.settings import SandboxPolicy, Security
from modelium.common.signatures import signature_of
from modelium.watcher.listing import Candidate, served_name
from modelium.watcher.safety import bubblewrap
from modelium.watcher.safety.gate import folder_of
from modelium.watcher.safety.places import libraries, modelium_folders
from modelium.watcher.safety.request import LONGEST_ANSWER, Answer, Request, plain

CHILD: Final = "modelium.watcher.safety.child"
PROBE_SECONDS: Final = 60
"""A busy machine starts Python slowly."""
HASHED_BYTES_PER_SECOND: Final = 20_000_000
"""What verifying a signature reaches on the slowest of disks."""
REMEDY: Final = (
    "Install bubblewrap, or libseccomp on a kernel with Landlock; or accept it with "
    "security.sandbox: best_effort"
)
_KEPT_OF_STDERR: Final = 4096
_ONNX: Final = ".onnx"

log = structlog.get_logger()


class Level(StrEnum):
    """How well the analysis is shut in."""

    BUBBLEWRAP = "bubblewrap"
    """Namespaces of its own, Landlock, seccomp and limits."""
    LANDLOCK = "landlock"
    """Landlock, seccomp and limits."""
    SECCOMP = "seccomp"
    """It could read other files, and neither send nor write what is in them."""
    LIMITS = "limits"
    """Memory and time only."""


SHUT_IN: Final = (Level.BUBBLEWRAP, Level.LANDLOCK)


class Sandbox:
    """Analyses candidates; `prepare` first."""

    def __init__(
        self,
        settings: Security,
        *,
        clock: Clock,
        bwrap: str | None = None,
        program: Sequence[str] = ("-m", CHILD),
    ) -> None:
        """`bwrap`: the program to use if it works; None: none. `program`: what Python runs."""
        self._settings = settings
        self._clock = clock
        self._bwrap = bwrap
        self._program = tuple(program)
        self._keys: list[str] = []
        self.level = Level.LIMITS

    async def prepare(self) -> Level:
        """Find out by trying how well a process can be shut in here, and say so once.

        Raises:
            SettingsError: a key that models have to be signed by is not there.
            DependencyUnavailable: not well enough for what the settings demand.
        """
        self._keys = [_digest(path) for path in self._settings.require_signature]
        self.level = await self._find_level()
        log.info("sandbox.ready", level=self.level)
        if self.level in SHUT_IN:
            return self.level
        what = f"Model files cannot be read in a sandbox here (only: {self.level})"
        if self._settings.sandbox is SandboxPolicy.REQUIRED:
            raise DependencyUnavailable(what, REMEDY)
        log.warning("sandbox.weak", level=self.level, remedy=REMEDY)
        return self.level

    async def _find_level(self) -> Level:
        if self._bwrap:
            if await self._probe() is Level.LANDLOCK:
                return Level.BUBBLEWRAP
            self._bwrap = None
        return await self._probe()

    async def _probe(self) -> Level:
        """As if without bubblewrap, which makes all of it possible or does not start."""
        try:
            confined = (await self._ask(Request(), PROBE_SECONDS)).confined
        except InvalidModel as error:
            # Within a container bubblewrap mostly may not do what it needs.
            tell = log.info if self._bwrap else log.warning
            tell("sandbox.unusable", program=self._bwrap or "python", reason=error.reason)
            return Level.LIMITS
        if confined is None or not confined.calls:
            return Level.LIMITS
        return Level.LANDLOCK if confined.files else Level.SECCOMP

    @property
    def asks_for_signature(self) -> bool:
        """See `filesystem.Analyst`."""
        return bool(self._settings.require_signature)

    def terms(self, path: str) -> str:
        """See `filesystem.Analyst`: the trusted keys, and whether its own code is trusted."""
        keys = " ".join(self._keys)
        return f"{keys} own code" if self._trusts(path) else keys

    def _trusts(self, path: str) -> bool:
        return served_name(path) in self._settings.trust_remote_code

    async def analyse(self, candidate: Candidate, supported: Sequence[str]) -> Descriptor:
        """What the candidate is.

        Raises:
            InvalidModel: it cannot be served, or its analysis did not end as it should.
        """
        request = self._request(candidate, tuple(supported))
        begun_s = self._clock.monotonic()
        answer = await self._ask(request, self._patience_s(candidate))
        took_ms = round((self._clock.monotonic() - begun_s) * 1000)
        log.info("model.examined", path=candidate.path, sandbox=self.level, took_ms=took_ms)
        if answer.invalid is not None:
            raise InvalidModel(plain(answer.invalid))
        if answer.descriptor is None:
            raise InvalidModel("its analysis answered nonsense")
        return answer.descriptor

    def _request(self, candidate: Candidate, supported: tuple[str, ...]) -> Request:
        settings = self._settings
        onnx = [file.size_bytes for file in candidate.files if file.path.endswith(_ONNX)]
        keys = tuple(path.resolve() for path in settings.require_signature)
        return Request(
            candidate=candidate,
            supported=supported,
            own_code=self._trusts(candidate.path),
            trusted_keys=keys,
            readable=(*_paths(candidate), *keys),
            seconds=ceil(self._patience_s(candidate)),
            # An ONNX file is parsed whole, weights and all.
            memory_bytes=settings.analysis_memory_bytes + 3 * max(onnx, default=0),
        )

    def _patience_s(self, candidate: Candidate) -> float:
        hashed = candidate.size_bytes if self._settings.require_signature else 0
        return self._settings.analysis_seconds + hashed / HASHED_BYTES_PER_SECOND

    async def _ask(self, request: Request, patience_s: float) -> Answer:
        try:
            async with asyncio.timeout(patience_s):
                said = await self._run(request)
        except TimeoutError:
            raise InvalidModel(f"its analysis was stopped after {patience_s:.0f} s") from None
        try:
            return Answer.model_validate_json(said)
        except ValidationError:
            raise InvalidModel("its analysis answered nonsense") from None

    async def _run(self, request: Request) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._command(request), stdin=PIPE, stdout=PIPE, stderr=PIPE, env=_environment(),
            cwd="/", start_new_session=True,
        )  # fmt: skip
        try:
            return await _converse(process, request.model_dump_json().encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _command(self, request: Request) -> list[str]:
        argv = [sys.executable, "-P", "-s", *self._program]
        if self._bwrap is None:
            return argv
        readable = (*libraries(), *request.readable)
        return bubblewrap.wrapped(self._bwrap, argv, readable, _environment())


def _digest(key: Path) -> str:
    try:
        return sha256(key.read_bytes()).hexdigest()
    except OSError as error:
        problem = f"security.require_signature: {key} cannot be read ({error.strerror})"
        raise SettingsError((problem,)) from None


def _paths(candidate: Candidate) -> list[Path]:
    """The candidate, its signature, and files beside it that it names or links lead to."""
    path = Path(candidate.path)
    if candidate.leaves:
        return []
    files = {folder_of(candidate) / file.path for file in candidate.files}
    real = path.resolve()
    beside = {it for file in files for it in (file, file.resolve()) if not it.is_relative_to(real)}
    beside = {it for it in beside if not it.is_relative_to(path)}
    return [path, signature_of(path), *sorted(beside)]


def _environment() -> dict[str, str]:
    """Nothing of the watcher's own, which may hold secrets."""
    return {
        "PYTHONPATH": ":".join(modelium_folders()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
    }


async def _converse(process: asyncio.subprocess.Process, request: bytes) -> bytes:
    assert process.stdin and process.stdout and process.stderr
    async with asyncio.TaskGroup() as tasks:
        said = tasks.create_task(_answer(process, process.stdout))
        complaint = tasks.create_task(_last_of(process.stderr))
        with contextlib.suppress(ConnectionError):  # it may have ended before it was asked
            process.stdin.write(request)
            process.stdin.close()
            await process.stdin.wait_closed()
    status = await process.wait()
    answer = said.result()
    if answer is None:
        raise InvalidModel(f"its analysis said more than {LONGEST_ANSWER} bytes")
    if status:
        raise InvalidModel(_failed(status, complaint.result()))
    return answer


async def _answer(
    process: asyncio.subprocess.Process, stdout: asyncio.StreamReader
) -> bytes | None:
    """What it says; it is ended, and None returned, as soon as that is too much."""
    said = bytearray()
    while chunk := await stdout.read(1 << 16):
        said += chunk
        if len(said) > LONGEST_ANSWER:
            process.kill()
            return None
    return bytes(said)


async def _last_of(stream: asyncio.StreamReader) -> str:
    kept = b""
    while chunk := await stream.read(1 << 16):
        kept = (kept + chunk)[-_KEPT_OF_STDERR:]
    return kept.decode(errors="replace")


def _failed(status: int, complaint: str) -> str:
    """Why, for people; a signal is told by bubblewrap as 128 and its number."""
    number = -status if status < 0 else status - 128
    if number == signal.SIGXCPU:
        return "its analysis took too much time to compute"
    if number in set(signal.Signals):
        return f"its analysis crashed ({signal.Signals(number).name})"
    last = complaint.strip().rpartition("\n")[2]
    return plain(f"its analysis failed ({last or f'exit code {status}'})", 300)
