"""Requests that wait for the model, and which of them share a run.

A request that finds the model idle runs at once; those that come while it runs make up the next
batch: nobody waits for company unless `wait_s` says so. One thread runs the model. A request of
more rows than a run has is run in pieces, and others come between them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from modelium.model_host.errors import (
    HostError,
    InferenceFailed,
    TooLarge,
    Unavailable,
    first_line,
)
from modelium.model_host.protocol.tensors import Tensors

log = logging.getLogger(__name__)

Run = Callable[[Tensors], Tensors]


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_rows` of one run, `wait_s` for others to come, requests that may wait (`max_queue`)."""

    max_rows: int
    wait_s: float
    max_queue: int
    max_request_rows: int
    """Of one request, in all its runs."""


class Watch(Protocol):
    """Is told of every run."""

    def ran(self, requests: int, rows: int, seconds: float) -> None:
        """A run has ended, well or not."""


@dataclass(slots=True, eq=False)
class _Entry:
    inputs: Tensors
    rows: int
    key: object
    """Requests with equal keys may share a run; None: it runs alone."""
    answer: asyncio.Future[Tensors] = field(default_factory=asyncio.Future)


class Batcher:
    """Runs requests on an executor, several at a time where their shapes agree."""

    def __init__(self, run: Run, *, executor: Executor, limits: Limits, watch: Watch) -> None:
        self._run = run
        self._executor = executor
        self._limits = limits
        self._watch = watch
        self._waiting: deque[_Entry] = deque()
        self._came = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait for a run."""
        return len(self._waiting)

    async def infer(self, inputs: Tensors, *, shares: bool) -> Tensors:
        """What the model makes of these inputs; a cancelled call leaves the queue.

        `shares`: their first dimension is one of rows, and other requests' rows may join them.

        Raises:
            TooLarge: 413, it has more rows than `max_request_rows`.
            Unavailable: 503, too many wait already.
        """
        rows = next(iter(inputs.values())).shape[0] if shares else 1
        if rows > self._limits.max_request_rows:
            most = self._limits.max_request_rows
            raise TooLarge(f"the request has {rows} rows; at most {most} are taken")
        if len(self._waiting) >= self._limits.max_queue:
            text = f"{len(self._waiting)} requests wait for this model already"
            raise Unavailable(text)
        key = _key(inputs) if shares else None
        if rows <= self._limits.max_rows:
            return await self._answered(_Entry(inputs, rows, key))
        pieces = _pieces(inputs, rows, self._limits.max_rows)
        return _whole([await self._answered(_Entry(*piece, key)) for piece in pieces])

    async def _answered(self, entry: _Entry) -> Tensors:
        self._waiting.append(entry)
        self._came.set()
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        try:
            return await entry.answer
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)

    async def _work(self) -> None:
        while self._waiting:
            if self._limits.wait_s:
                await self._wait_for_company()
            batch = self._take()
            if batch:
                await self._answer(batch)

    async def _wait_for_company(self) -> None:
        """Until a whole batch waits, `wait_s` at most."""
        try:
            async with asyncio.timeout(self._limits.wait_s):
                while sum(entry.rows for entry in self._waiting) < self._limits.max_rows:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return

    def _take(self) -> list[_Entry]:
        """The one that waits longest, and those that may share its run, in their order."""
        if not self._waiting:
            return []
        first = self._waiting.popleft()
        if first.key is None:
            return [first]
        batch, rows = [first], first.rows
        for entry in list(self._waiting):
            if entry.key == first.key and rows + entry.rows <= self._limits.max_rows:
                batch.append(entry)
                rows += entry.rows
                self._waiting.remove(entry)
        return batch

    async def _answer(self, batch: list[_Entry]) -> None:
        """Run them together; if that fails, each alone, so that only the faulty one fails."""
        outcome = await self._ran(batch)
        if isinstance(outcome, BaseException):
            if len(batch) == 1:
                _settle(batch[0], outcome)
                return
            for entry in batch:
                if not entry.answer.done():
                    await self._answer([entry])
            return
        for entry, outputs in zip(batch, _divided(outcome, batch), strict=True):
            _settle(entry, outputs)

    async def _ran(self, batch: list[_Entry]) -> Tensors | BaseException:
        """What came of a run; a failure of the model is a value here: it may be one request's."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        running = loop.run_in_executor(self._executor, self._run_joined, batch)
        await asyncio.wait([running])
        rows = sum(entry.rows for entry in batch)
        self._watch.ran(len(batch), rows, loop.time() - begin)
        return running.exception() or running.result()

    def _run_joined(self, batch: list[_Entry]) -> Tensors:
        if len(batch) == 1:
            return self._run(batch[0].inputs)
        names = batch[0].inputs
        joined = {name: np.concatenate([entry.inputs[name] for entry in batch]) for name in names}
        outputs = self._run(joined)
        rows = sum(entry.rows for entry in batch)
        for name, array in outputs.items():
            if not array.ndim or array.shape[0] != rows:
                raise ValueError(f"output {name!r} of {rows} rows has shape {array.shape}")
        return outputs


def _key(inputs: Tensors) -> object:
    return tuple((name, array.dtype, array.shape[1:]) for name, array in sorted(inputs.items()))


def _pieces(inputs: Tensors, rows: int, most: int) -> Iterator[tuple[Tensors, int]]:
    """Of about equal size, for some models take no single row."""
    count = -(-rows // most)
    parts = {name: np.array_split(array, count) for name, array in inputs.items()}
    for at, first in enumerate(next(iter(parts.values()))):
        yield {name: found[at] for name, found in parts.items()}, first.shape[0]


def _whole(answers: list[Tensors]) -> Tensors:
    """What was answered to the pieces, as one answer."""
    try:
        return {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}
    except ValueError as error:
        text = "the model's outputs for parts of this request do not fit together"
        raise InferenceFailed(f"{text}: {first_line(error)}") from error


def _divided(outputs: Tensors, batch: list[_Entry]) -> list[Tensors]:
    if len(batch) == 1:
        return [outputs]
    parts: list[Tensors] = []
    at = 0
    for entry in batch:
        parts.append({name: array[at : at + entry.rows] for name, array in outputs.items()})
        at += entry.rows
    return parts


def _settle(entry: _Entry, outcome: Tensors | BaseException) -> None:
    if entry.answer.done():
        return  # its caller has gone
    if isinstance(outcome, HostError):
        entry.answer.set_exception(outcome)
    elif isinstance(outcome, BaseException):
        log.error("the model failed", exc_info=outcome)
        entry.answer.set_exception(InferenceFailed(f"the model failed: {first_line(outcome)}"))
    else:
        entry.answer.set_result(outcome)
