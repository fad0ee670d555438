"""A language model of this machine, in a child process: started, asked, and ended if it hangs.

It is a process of its own since torch would hold up whoever runs it, and needs an interpreter that
no service has. `modelium.local_llm` is what runs there; the two speak in lines of JSON over pipes.
"""

import asyncio
import json
import os
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import structlog

from modelium.common.clock import Clock
from modelium.common.errors import ModeliumError
from modelium.common.linked_package import CannotLink, linked_package

PACKAGE: Final = "modelium.local_llm"
LONGEST_LOAD_S: Final = 900.0
NICE: Final = 10
"""Beside a running system: whoever answers requests comes first."""
PATIENCE_S: Final = 15.0
"""Beyond its deadline, after which it hangs: it ends by itself between two passes of the model."""
WATCH_S: Final = 1.0
FIRST_RETRY_S: Final = 10.0
LAST_RETRY_S: Final = 300.0
_KEPT: Final = "MODELIUM_RUN"
"""By this `modelium down` finds what was left over."""
_LONGEST_LINE_BYTES: Final = 1 << 20

log = structlog.get_logger()


class LlmUnavailable(ModeliumError):
    """The language model cannot be asked now, or did not answer; the reason is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, and what it took."""

    text: str
    tokens: int
    passes: int
    read_tokens: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class About:
    """A model that is loaded."""

    device: str
    parameters: int
    size_bytes: int
    took_s: float


@dataclass(frozen=True, slots=True)
class _Asked:
    number: int
    answer: "asyncio.Future[Said]"


class LocalLlm:
    """Kept up by `run`, in one task; asked by anybody, one after the other."""

    def __init__(
        self,
        *,
        python: Path | None,
        model: str,
        device: str,
        within_s: float,
        clock: Clock,
        nice: int = NICE,
    ) -> None:
        """`within_s`: how long it may think about a question; `nice`: how far others come first."""
        self._python = python
        options = {"--model": model, "--device": device, "--nice": str(nice)}
        self._arguments = ("-m", PACKAGE, *(word for each in options.items() for word in each))
        self._within_s = within_s
        self._clock = clock
        self._numbers = count(1)
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._child: Process | None = None
        self._asked: _Asked | None = None
        self._due_s = float("inf")
        self.about: About | None = None
        """None: nobody can be asked now."""
        self.why = "it is being loaded"
        self.failures = 0
        """In a row, of children that did not answer anything."""

    @property
    def pid(self) -> int | None:
        """Of the child; None: there is none."""
        return self._child.pid if self._child else None

    async def run(self) -> None:
        """Keep a child up until cancelled, and leave none behind; returns if there can be none."""
        if self._python is None:
            self._unavailable(
                "no interpreter with torch is known: let modelium_brain.python "
                "(MODELIUM_MODELIUM_BRAIN__PYTHON) or vllm.python name one"
            )
            return
        while True:
            try:
                await self._live(self._python)
            except LlmUnavailable as ended:
                retry_s = min(LAST_RETRY_S, FIRST_RETRY_S * 2**self.failures)
                self.failures += 1
                self._unavailable(f"{ended.reason}; it is started again in {retry_s:.0f} s")
                log.warning("local_llm.ended", reason=self.why)
                await self._clock.sleep(retry_s)
                self.why = "it is being loaded"

    async def loaded(self) -> About:
        """Wait until it can be asked, while somebody runs `run`.

        Raises:
            LlmUnavailable: it has failed to load; `run` tries again.
        """
        while self.about is None:
            self._changed.clear()
            if self.failures or self._python is None:
                raise LlmUnavailable(self.why)
            await self._changed.wait()
        return self.about

    async def ask(self, question: Mapping[str, Any]) -> Said:
        """The answer to `system`, `user`, `schema` and `most_tokens`; a caller may give up.

        Raises:
            LlmUnavailable: there is none.
        """
        async with self._turn:
            if self._child is None or self._child.stdin is None or self.about is None:
                raise LlmUnavailable(self.why)
            if self._asked is not None:
                raise LlmUnavailable("it is not done with the question before")
            asked = _Asked(next(self._numbers), asyncio.get_running_loop().create_future())
            self._asked = asked
            self._due_s = self._clock.monotonic() + self._within_s + PATIENCE_S
            line = {"id": asked.number, "within_s": self._within_s, **question}
            self._child.stdin.write(json.dumps(line).encode() + b"\n")
            with suppress(ConnectionError):  # it has ended: its reader tells why
                await self._child.stdin.drain()
            return await asked.answer

    async def _live(self, python: Path) -> None:
        """The life of one child; it always ends with LlmUnavailable."""
        async with _child(python, self._arguments) as child:
            self._child = child
            self._due_s = self._clock.monotonic() + LONGEST_LOAD_S
            watch = asyncio.create_task(self._end_if_it_hangs(child))
            try:
                raise LlmUnavailable(await self._read(child))
            finally:
                watch.cancel()
                self._child = self.about = None
                self._give_up_question("its process has ended")

    async def _read(self, child: Process) -> str:
        """Take what it says until it ends; why it did."""
        assert child.stdout is not None
        try:
            async for line in child.stdout:
                reason = self._take(json.loads(line))
                if reason:
                    return reason
        except (ValueError, TypeError, KeyError):
            return "it said what is no answer"
        code = await child.wait()
        if self._clock.monotonic() > self._due_s:
            return "it hung, and was ended"
        how = f"signal {-code}" if code < 0 else f"code {code}"
        return f"its process has ended ({how})"

    def _take(self, message: dict[str, Any]) -> str:
        """One line; not empty: why there will be no more."""
        if "cannot_load" in message:
            return str(message["cannot_load"])
        self._due_s = float("inf")
        if "ready" in message:
            self.about = About(**message["ready"])
            self._changed.set()
            log.info("local_llm.loaded", **message["ready"])
            return ""
        self.failures = 0
        asked, self._asked = self._asked, None
        if asked is None or message.pop("id") != asked.number:
            return "it answered what nobody asked"
        if asked.answer.done():  # whoever asked has given up
            return ""
        if "failed" in message:
            asked.answer.set_exception(LlmUnavailable(message["failed"]))
        else:
            asked.answer.set_result(Said(**message))
        return ""

    async def _end_if_it_hangs(self, child: Process) -> None:
        while self._clock.monotonic() <= self._due_s:
            await self._clock.sleep(WATCH_S)
        child.kill()

    def _give_up_question(self, reason: str) -> None:
        asked, self._asked = self._asked, None
        if asked is not None and not asked.answer.done():
            asked.answer.set_exception(LlmUnavailable(reason))

    def _unavailable(self, reason: str) -> None:
        self.why = reason
        self._changed.set()


@asynccontextmanager
async def _child(python: Path, arguments: tuple[str, ...]) -> AsyncIterator[Process]:
    """A child that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="modelium-llm-") as folder:
        try:
            path = linked_package(PACKAGE, Path(folder))
            child = await asyncio.create_subprocess_exec(
                python,
                *arguments,
                stdin=PIPE,
                stdout=PIPE,
                limit=_LONGEST_LINE_BYTES,
                env=_environment() | {"PYTHONPATH": str(path)},
            )
        except OSError as wrong:
            raise LlmUnavailable(f"{python} cannot be run ({wrong.strerror or wrong})") from wrong
        except CannotLink as wrong:
            raise LlmUnavailable(str(wrong)) from wrong
        try:
            yield child
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _environment() -> dict[str, str]:
    """This process's without settings of ours, some of which are secrets."""
    return {
        name: value
        for name, value in os.environ.items()
        if name == _KEPT or not name.startswith("MODELIUM_")
    } | {"TOKENIZERS_PARALLELISM": "false"}
