"""One model's life in this process: loading, ready, draining; and what it makes of requests."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Final, TypeVar

from modelium.model_host.batching import Batcher, Limits
from modelium.model_host.canary import prove
from modelium.model_host.errors import CannotLoad, Unavailable
from modelium.model_host.metrics import Metrics
from modelium.model_host.models.model import Model
from modelium.model_host.options import Options
from modelium.model_host.outcomes import call, reason
from modelium.model_host.protocol.tensors import Tensors

log = logging.getLogger(__name__)

T = TypeVar("T")
_SMALL_BYTES: Final = 64 * 1024
Load = Callable[[Options], Model]


class State(StrEnum):
    """Where a model's life stands."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    DRAINING = "draining"


class Held:
    """Bytes of bodies that requests under way hold, `most` in all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now = 0

    def take(self, size: int) -> None:
        """Hold so many more.

        Raises:
            Unavailable: 503, that were too many.
        """
        if self._now + size > self._most:
            raise Unavailable(f"requests under way hold {self._now} of {self._most} bytes already")
        self._now += size

    def give_back(self, size: int) -> None:
        """So many are held no more."""
        self._now -= size


class Serving:
    """The model of this process."""

    def __init__(self, options: Options, load: Load) -> None:
        self.options = options
        self.metrics = Metrics(options.name, self)
        self.state = State.LOADING
        self.failure = ""
        self.cut_off = 0
        """Requests that outlasted the time for draining."""
        # One request can always be held, or a body within its own limit would be refused for ever.
        self.held = Held(max(options.max_held_bytes, options.max_body_bytes))
        self._asked = 0
        self._load = load
        self._model: Model | None = None
        self._shares = False
        # One thread: libraries that run models use all threads they may have in one run.
        self._executor = ThreadPoolExecutor(1, "model")
        self._batcher: Batcher | None = None
        # One thread too: texts of JSON take many times their size in memory while they are read.
        self._bodies = ThreadPoolExecutor(1, "bodies")

    @property
    def model(self) -> Model:
        """The model, once it is loaded.

        Raises:
            Unavailable: 503, it is not.
        """
        if self._model is None:
            raise Unavailable(f"model {self.options.name!r} is {self.state}")
        return self._model

    def waiting(self) -> int:
        """Requests that wait for a run."""
        return self._batcher.waiting if self._batcher else 0

    def running(self) -> int:
        """Requests that the model runs."""
        return self._asked - self.waiting()

    def load(self) -> None:
        """Load the model and see that it answers; blocks.

        Raises:
            CannotLoad: with the reason, which `failure` keeps.
        """
        try:
            self._model, self._shares = self._loaded()
        except CannotLoad as error:
            self.state, self.failure = State.FAILED, str(error)
            raise
        log.info("the canary answered; requests share runs: %s", self._shares)
        if self.state is State.LOADING:
            self.state = State.READY

    def drain(self) -> None:
        """Be ready no more; requests under way go on."""
        if self.state is not State.FAILED:
            self.state = State.DRAINING

    def _loaded(self) -> tuple[Model, bool]:
        model = call(self._executor, lambda: self._load(self.options))
        if isinstance(model, BaseException):
            raise CannotLoad(reason(model)) from model

        def attempt(inputs: Tensors) -> Tensors | BaseException:
            return call(self._executor, lambda: model.run(inputs))

        return model, prove(model.signature, attempt, model.sample)

    def cancelled(self) -> None:
        """Note a request that the server has cancelled."""
        if self.state is State.DRAINING:
            self.cut_off += 1

    async def aside(self, size: int, work: Callable[[], T]) -> T:
        """The result of reading or writing so many bytes, on a thread where they are many.

        Health is asked for meanwhile, and a host that does not answer is taken for one that hangs.
        """
        if size <= _SMALL_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._bodies, work)

    async def infer(self, inputs: Tensors) -> Tensors:
        """What the model makes of inputs that fit its signature.

        Raises:
            HostError: 503 too many wait, or what went wrong with these inputs.
        """
        model = self.model
        if self._batcher is None:
            self._batcher = self._new_batcher(model)
        self._asked += 1
        try:
            if model.admit is not None:
                inputs = await asyncio.to_thread(model.admit, inputs)
            return await self._batcher.infer(inputs, shares=self._shares)
        finally:
            self._asked -= 1

    def _new_batcher(self, model: Model) -> Batcher:
        options, most = self.options, model.signature.max_rows
        limits = Limits(
            max_rows=min(options.max_batch, most) if most else options.max_batch,
            wait_s=options.batch_wait_ms / 1000,
            max_queue=options.max_queue,
            max_request_rows=options.max_rows,
        )
        return Batcher(model.run, executor=self._executor, limits=limits, watch=self.metrics)
