"""`modelium record`: writes what is asked of the running system as a trace for `replay`."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from modelium.cli.console import Step, say, step, this_command
from modelium.cli.waiting import SIGNALS
from modelium.common import logs
from modelium.common.bus import Bus
from modelium.common.clock import Clock, SystemClock
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import GatewayStats, MetricsTick
from modelium.common.load_settings import Settings
from modelium.common.nats_bus import NatsBus
from modelium.replay.files import COLUMNS, MODEL_COLUMNS, row, writing
from modelium.replay.parts import GB
from modelium.replay.recording import Recorder
from modelium.replay.trace import Request

BUS_TIMEOUT_S: Final = 5.0
Heard = asyncio.Queue[list[Request] | None]
"""Requests that have ended; None: no more."""


def record(settings: Settings, path: Path, *, seconds: float | None) -> None:
    """Until a signal comes, or for so many seconds.

    Raises:
        DependencyUnavailable: NATS is not there, or no gateway spoke.
        WrongFile: the trace cannot be written, or is there already.
    """
    logs.for_a_command()
    clock = SystemClock()
    recorder = Recorder(clock.monotonic())
    count = asyncio.run(_over_nats(settings.nats.url, recorder, path, clock, seconds))
    if not recorder.gateways:
        raise DependencyUnavailable(
            f"No gateway was heard at {settings.nats.url}",
            "Start one with `make up` or `docker compose up -d`, and see `modelium status`.",
        )
    needs = needs_of(path)
    write_needs(needs, recorder)
    say(f"{count} requests are in {path}, what their models need in {needs}. To replay them:")
    say(
        f"  {this_command()} replay {path} --needs {needs} --devices {max(1, recorder.devices)} "
        f"--device-gb {recorder.device_bytes / GB:.6f}"
    )


def needs_of(trace: Path) -> Path:
    """The file beside a trace that says what its models need."""
    name = trace.name.removesuffix(".gz").removesuffix(".csv")
    return trace.with_name(f"{name}.models.csv")


async def _over_nats(
    url: str, recorder: Recorder, path: Path, clock: Clock, seconds: float | None
) -> int:
    bus = NatsBus(url, source="modelium-record")
    try:
        await bus.open(timeout_s=BUS_TIMEOUT_S)
        with writing(path, COLUMNS) as file, step("recording, until Ctrl-C") as shown:
            return await listen(bus, recorder, file, shown=shown, clock=clock, seconds=seconds)
    finally:
        await bus.close()


async def listen(
    bus: Bus,
    recorder: Recorder,
    file: TextIO,
    *,
    clock: Clock,
    seconds: float | None = None,
    shown: Step | None = None,
) -> int:
    """Write rows until a signal comes, or for so many seconds; returns how many."""
    heard: Heard = asyncio.Queue()
    count = 0

    async def on_stats(stats: GatewayStats) -> None:
        heard.put_nowait(recorder.heard(stats, clock.monotonic()))

    async def on_tick(tick: MetricsTick) -> None:
        recorder.ticked(tick)

    async def run_out() -> None:
        if seconds is not None:
            await clock.sleep(seconds)
            heard.put_nowait(None)

    following = asyncio.create_task(bus.follow({GatewayStats: on_stats, MetricsTick: on_tick}))
    following.add_done_callback(lambda _: heard.put_nowait(None))
    timer = asyncio.create_task(run_out())
    try:
        with _ended_by_signals(heard):
            while (requests := await heard.get()) is not None:
                count += _write(file, requests)
                if shown and sys.stderr.isatty():
                    shown.note(f"{count} requests")
    finally:
        for task in (following, timer):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    return count + _write(file, recorder.finish())


@contextmanager
def _ended_by_signals(heard: Heard) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, heard.put_nowait, None)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _write(file: TextIO, requests: list[Request]) -> int:
    for request in requests:
        row(file, (f"{request.at_s:.3f}", request.model, f"{request.lasts_s:.3f}", "", ""))
    file.flush()  # of a recording that is killed, this much is left
    return len(requests)


def write_needs(path: Path, recorder: Recorder) -> None:
    """What the recorded models need, for `replay --needs`."""
    with writing(path, MODEL_COLUMNS) as file:
        for model, need in sorted(recorder.needs.items()):
            load_s = "" if need.load_s is None else f"{need.load_s:.3f}"
            row(file, (model, f"{need.size_bytes / GB:.6f}", load_s))
