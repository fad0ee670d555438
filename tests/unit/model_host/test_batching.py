"""Which requests share a run, and what becomes of each."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from modelium.model_host.batching import Batcher, Limits
from modelium.model_host.errors import InferenceFailed, InvalidInput, TooLarge, Unavailable
from modelium.model_host.protocol.tensors import Tensors


@dataclass
class Doubler:
    """Doubles its rows, once it may; -1 makes it fail, -2 refuse."""

    runs: list[list[float]] = field(default_factory=list)
    may_run: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)

    def run(self, inputs: Tensors) -> Tensors:
        self.began.set()
        self.may_run.wait(10)
        rows = inputs["x"]
        self.runs.append(rows[:, 0].tolist())
        if (rows == -1).any():
            raise ValueError("a row of -1\nwith more lines")
        if (rows == -2).any():
            raise InvalidInput("no -2, please")
        return {"y": rows * 2}


class Runs(list[tuple[int, int]]):
    """Requests and rows of every run."""

    def ran(self, requests: int, rows: int, seconds: float) -> None:
        self.append((requests, rows))


@dataclass
class Rig:
    """A batcher whose first run waits, so that others gather behind it."""

    batcher: Batcher
    model: Doubler
    runs: Runs

    def ask(self, *values: float, width: int = 1, shares: bool = True) -> asyncio.Task[Tensors]:
        rows = np.repeat(np.float32(values)[:, None], width, 1)
        return asyncio.create_task(self.batcher.infer({"x": rows}, shares=shares))

    async def first(self) -> asyncio.Task[Tensors]:
        asked = self.ask(100)
        await asyncio.to_thread(self.model.began.wait, 10)
        return asked

    async def gathered(self, count: int) -> None:
        await asyncio.sleep(0)  # each of them comes as far as the queue
        assert self.batcher.waiting == count


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    model, runs = Doubler(), Runs()
    with ThreadPoolExecutor(1) as executor:
        limits = Limits(max_rows=4, wait_s=0, max_queue=6, max_request_rows=12)
        yield Rig(Batcher(model.run, executor=executor, limits=limits, watch=runs), model, runs)
        model.may_run.set()


def values(task: asyncio.Task[Tensors]) -> list[float]:
    return [float(value) for value in task.result()["y"][:, 0]]


async def test_what_comes_while_the_model_runs_makes_up_the_next_batch(rig: Rig) -> None:
    first = await rig.first()
    asked = [rig.ask(1), rig.ask(2, 3), rig.ask(4)]
    await rig.gathered(3)
    rig.model.may_run.set()
    await asyncio.gather(first, *asked)
    assert rig.model.runs == [[100], [1, 2, 3, 4]]
    assert [values(task) for task in asked] == [[2], [4, 6], [8]]
    assert rig.runs == [(1, 1), (3, 4)]


async def test_a_batch_has_no_more_rows_than_it_may(rig: Rig) -> None:
    first = await rig.first()
    asked = [rig.ask(1, 2, 3), rig.ask(4, 5), rig.ask(6)]
    await rig.gathered(3)
    rig.model.may_run.set()
    await asyncio.gather(first, *asked)
    assert rig.model.runs == [[100], [1, 2, 3, 6], [4, 5]]


async def test_a_request_of_more_rows_than_a_run_has_is_run_in_pieces(rig: Rig) -> None:
    """A run of all its rows had taken more memory than anybody had reserved for a batch."""
    first = await rig.first()
    asked = [rig.ask(*range(9)), rig.ask(50)]
    await rig.gathered(2)
    rig.model.may_run.set()
    await asyncio.gather(first, *asked)
    assert rig.model.runs == [[100], [0, 1, 2, 50], [3, 4, 5], [6, 7, 8]]
    assert values(asked[0]) == [value * 2 for value in range(9)]


async def test_what_fails_in_a_piece_ends_the_request(rig: Rig) -> None:
    rig.model.may_run.set()
    with pytest.raises(InvalidInput, match="no -2, please"):
        await rig.ask(1, 2, 3, 4, -2, 6, 7, 8, 9)
    assert len(rig.model.runs) == 2


async def test_a_request_of_more_rows_than_it_may_have_is_refused(rig: Rig) -> None:
    with pytest.raises(TooLarge, match=r"^the request has 13 rows; at most 12 are taken$"):
        await rig.ask(*range(13))
    assert rig.model.runs == []


async def test_other_shapes_and_requests_that_do_not_share_run_apart(rig: Rig) -> None:
    first = await rig.first()
    asked = [rig.ask(1), rig.ask(2, width=3), rig.ask(3, shares=False), rig.ask(4)]
    await rig.gathered(4)
    rig.model.may_run.set()
    await asyncio.gather(first, *asked)
    assert rig.model.runs == [[100], [1, 4], [2], [3]]


async def test_a_faulty_request_fails_alone(rig: Rig) -> None:
    first = await rig.first()
    asked = [rig.ask(1), rig.ask(-1), rig.ask(-2), rig.ask(2)]
    await rig.gathered(4)
    rig.model.may_run.set()
    await asyncio.wait([first, *asked])
    assert values(asked[0]) == [2]
    assert values(asked[3]) == [4]
    with pytest.raises(InferenceFailed, match=r"^the model failed: ValueError: a row of -1$"):
        await asked[1]
    with pytest.raises(InvalidInput, match="no -2, please"):
        await asked[2]


async def test_a_request_whose_caller_leaves_is_not_run(rig: Rig) -> None:
    first = await rig.first()
    asked = [rig.ask(1), rig.ask(2)]
    await rig.gathered(2)
    asked[0].cancel()
    await asyncio.wait(asked[:1])
    rig.model.may_run.set()
    await asyncio.gather(first, asked[1])
    assert rig.model.runs == [[100], [2]]


async def test_one_that_leaves_while_it_runs_takes_no_other_with_it(rig: Rig) -> None:
    first = await rig.first()
    first.cancel()
    await asyncio.wait([first])
    second = rig.ask(2)
    rig.model.may_run.set()
    assert (await second)["y"].tolist() == [[4]]


async def test_too_many_that_wait_are_refused(rig: Rig) -> None:
    first = await rig.first()
    asked = [rig.ask(at) for at in range(6)]
    await rig.gathered(6)
    with pytest.raises(Unavailable, match="6 requests wait for this model already"):
        await rig.ask(7)
    rig.model.may_run.set()
    await asyncio.gather(first, *asked)


async def test_a_full_batch_does_not_wait_for_company() -> None:
    model, runs = Doubler(), Runs()
    model.may_run.set()
    with ThreadPoolExecutor(1) as executor:
        limits = Limits(max_rows=2, wait_s=3600, max_queue=6, max_request_rows=12)
        batcher = Batcher(model.run, executor=executor, limits=limits, watch=runs)
        asked = [batcher.infer({"x": np.float32([[at]])}, shares=True) for at in (1, 2)]
        await asyncio.gather(*asked)
    assert model.runs == [[1, 2]]
