"""Bodies: their limits, what is wrong with them, and where they are read."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import aiohttp
import numpy as np
import pytest

from modelium.model_host.serving import Serving
from tests.host_kit import tensor
from tests.unit.model_host.app_rig import Rig, a_rig, rig_waits

T = TypeVar("T")


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with a_rig() as found:
        yield found


async def test_a_body_beyond_the_limit_is_413_whether_its_length_is_said_or_not() -> None:
    async with a_rig(max_body_bytes=100) as rig:
        status, found = await rig.infer(tensor("x", np.zeros((50, 2), "f4")))
        assert status == 413
        assert "at most 100 are taken" in found["error"]

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield bytes(10)

        status, found = await rig.ask("POST", "/v2/models/m/infer", data=pieces())
        assert status == 413
        assert rig.model.runs == 0


@pytest.mark.parametrize("top_k", ["²", "9" * 5000, "0", "-1", "many"])
async def test_a_forms_top_k_that_is_no_number_is_400(top_k: str) -> None:
    async with a_rig(task="vision") as rig:
        form = aiohttp.FormData({"top_k": top_k})
        form.add_field("image", b"x", filename="a.png", content_type="image/png")
        status, found = await rig.ask("POST", "/predict", data=form)
        assert status == 400
        assert found["error"].endswith("; a whole number of 1 or more is expected")
        assert len(found["error"]) < 100


async def test_bodies_that_requests_hold_are_bounded_together_and_given_back() -> None:
    """The queue was bounded by its count alone: 256 times the largest body."""
    large = {"inputs": [tensor("x", np.ones((20, 2), "f4"))]}
    size = len(json.dumps(large))
    async with a_rig(max_body_bytes=size, max_held_bytes=2 * size) as rig:
        rig.model.may_run.clear()
        asked = [asyncio.create_task(rig.infer(*large["inputs"])) for _ in range(2)]
        await rig_waits(rig, 1)
        status, found = await rig.infer(*large["inputs"])
        assert (status, "bytes already" in found["error"]) == (503, True)
        rig.model.may_run.set()
        assert [status for status, _ in await asyncio.gather(*asked)] == [200, 200]
        assert (await rig.infer(*large["inputs"]))[0] == 200


class Noting(Serving):
    """Notes of all that is read and written whether the loop's thread did it."""

    loop: int
    by_loop: list[bool]

    async def aside(self, size: int, work: Callable[[], T]) -> T:
        def noted() -> T:
            self.by_loop.append(threading.get_ident() == self.loop)
            return work()

        return await super().aside(size, noted)


@pytest.mark.parametrize("path", ["/v2/models/m/infer", "/predict"])
async def test_large_bodies_are_read_and_written_aside(path: str) -> None:
    """They stopped the loop, and with it the answers to those who ask for health."""
    rows = 20_000
    async with a_rig(Noting, max_rows=rows, max_batch=rows) as rig:
        assert isinstance(rig.serving, Noting)
        rig.serving.loop = threading.get_ident()
        for count, by_loop in ((1, True), (rows, False)):
            rig.serving.by_loop = []
            asked = {"inputs": [tensor("x", np.ones((count, 2), "f4"))]}
            status, found = await rig.ask("POST", path, json=asked)
            assert status == 200, found
            assert len(found["outputs"][0]["data"]) == 2 * count
            assert set(rig.serving.by_loop) == {by_loop}


async def test_a_body_that_is_compressed_is_415(rig: Rig) -> None:
    headers = {"content-encoding": "gzip"}
    status, found = await rig.ask("POST", "/predict", json={}, headers=headers)
    assert (status, found) == (
        415,
        {"error": "bodies with content-encoding 'gzip' are not read"},
    )
