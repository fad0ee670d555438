"""Launches one engine: what has to be right before, and what may be wrong with it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from modelium.common.errors import DependencyUnavailable
from modelium.common.events import LoadModel
from modelium.common.records import FailureKind
from modelium.common.tracing import Tracing
from modelium.runtime_agent.failures import Failure
from modelium.runtime_agent.launcher import Engine, EngineRecord, LaunchFailed, LaunchSpec
from modelium.runtime_agent.model_files import unreadable
from modelium.runtime_agent.runtime import Proof, Runtime
from modelium.runtime_agent.tools import Tools
from modelium.runtime_agent.waiting import to_the_end
from modelium.runtime_agent.watch import EngineFailed, Watch


async def launch(
    command: LoadModel,
    record: EngineRecord,
    tools: Tools,
    runtime: Runtime,
    started: Callable[[Engine], None],
) -> None:
    """Start it; `started` is told of it also when this is cancelled meanwhile.

    Raises:
        EngineFailed: it cannot be started.
    """
    with tools.tracing.span("launch"):
        await _launch(command, record, tools, runtime, started)


async def until_ready(watch: Watch, tracing: Tracing) -> Proof:
    """Wait until it is healthy, and see it answer its canary.

    Raises:
        EngineFailed: it does not.
    """
    with tracing.span("ready"):
        await watch.until_healthy()
    with tracing.span("canary"):
        return await watch.prove()


async def _launch(
    command: LoadModel,
    record: EngineRecord,
    tools: Tools,
    runtime: Runtime,
    started: Callable[[Engine], None],
) -> None:
    readable = tools.launcher.readable_by_engine
    problem = await asyncio.to_thread(unreadable, Path(command.path), readable)
    if problem is not None:
        raise EngineFailed(Failure(FailureKind.START_FAILED, problem))

    async def start(spec: LaunchSpec) -> None:
        started(await tools.launcher.start(spec))

    try:
        # Never half: an engine that was started must be known, or it could not be killed.
        await to_the_end(start(_spec(command, record, tools, runtime)))
    except (LaunchFailed, DependencyUnavailable) as wrong:
        raise EngineFailed(Failure(FailureKind.START_FAILED, str(wrong))) from wrong


def _spec(command: LoadModel, record: EngineRecord, tools: Tools, runtime: Runtime) -> LaunchSpec:
    devices = [t for d in command.device_ids if (t := tools.devices.traits(d)) is not None]
    site = tools.launcher.site(record, command.path)
    return runtime.spec(command, record, site, devices)
