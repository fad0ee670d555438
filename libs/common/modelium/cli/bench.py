"""`modelium bench`: a quick load test of one model, and its report.

Needs aiohttp, of the extra `local`; the load itself is in `bench_load.py`.
"""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from modelium.cli.bench_report import TITLES, level, row
from modelium.cli.console import out_json, out_table, say
from modelium.cli.gateway_client import GatewayClient, Refused
from modelium.cli.unknown_model import unknown_model
from modelium.common.clock import SystemClock
from modelium.common.errors import DependencyUnavailable, ExitCode

if TYPE_CHECKING:
    from modelium.cli.bench_load import Bench, Load

SEVERAL: Final = 1.1
"""Tokens in a read on average, from which on it is said."""


def bench(
    client: GatewayClient,
    model: str,
    levels: Sequence[int],
    *,
    as_json: bool,
    requests: int | None = None,
    seconds: float = 10.0,
    max_tokens: int = 64,
    input_tokens: int = 64,
) -> ExitCode:
    """Show a report, also of a test that is interrupted; a failure when no request succeeded."""
    try:
        from modelium.cli.bench_load import ROUTES, Load
    except ModuleNotFoundError as missing:
        text = f"The package {missing.name} is not installed"
        raise DependencyUnavailable(text, 'pip install ".[local]"') from missing
    page = client.model(model)
    if page is None:
        raise unknown_model(client, model)
    task = str(page.get("task") or "")
    if task not in ROUTES:
        text = f"{model} is for {task or 'nothing known'}; tested are {', '.join(ROUTES)}."
        raise Refused(400, "unsupported_by_model", text)
    load = Load(
        model=model,
        task=task,
        requests=requests,
        seconds=seconds,
        max_tokens=max_tokens,
        input_tokens=input_tokens,
    )
    found: list[dict[str, Any]] = []
    say(f"{client.url} {model}: one request that does not count, then {_plan(load, levels)}")
    asyncio.run(_run(client, load, levels, found))
    _show(model, task, found, as_json=as_json)
    return ExitCode.OK if any(each["requests"] for each in found) else ExitCode.FAILURE


def _plan(load: "Load", levels: Sequence[int]) -> str:
    each = f"{load.requests} requests" if load.requests else f"{load.seconds:g} s"
    return f"{each} of {', '.join(map(str, levels))} at once"


async def _run(
    client: GatewayClient, load: "Load", levels: Sequence[int], found: list[dict[str, Any]]
) -> None:
    """Fills `found`; Ctrl-C ends it early, and what was measured stays."""
    from modelium.cli.bench_load import Bench, session

    async with session(client.url, client.key) as opened:
        bench = Bench(opened, load, SystemClock())
        work = asyncio.ensure_future(_levels(bench, levels, found))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, work.cancel)
        with suppress(asyncio.CancelledError):
            await work


async def _levels(bench: "Bench", levels: Sequence[int], found: list[dict[str, Any]]) -> None:
    from modelium.cli.bench_load import warm_up

    await warm_up(bench)
    for concurrency in levels:
        began_s = bench.clock.monotonic()
        try:
            await bench.level(concurrency)
        finally:
            took_s = bench.clock.monotonic() - began_s
            found.append(level(concurrency, bench.done, took_s))


def _show(model: str, task: str, found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        out_json({"model": model, "task": task, "levels": found})
        return
    out_table(TITLES, [row(figures) for figures in found])
    if any((figures["tokens_per_read"] or 0) >= SEVERAL for figures in found):
        each = ", ".join(f"{figures['tokens_per_read']:.1f}" for figures in found)
        say(f"Tokens that came at once ({each} in a read) share the time since those before.")
    for figures in found:
        for text, times in figures["error_messages"].items():
            say(f"{figures['concurrency']} at once, {times} times: {text}", "red")
