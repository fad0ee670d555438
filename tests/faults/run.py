"""kill -9 of each process in turn under a steady stream of requests; prints what became of them.

`make faults` runs this against real vLLM. The exit code is 1 when a request failed although neither
the gateway nor the engine was the victim.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from modelium.cli.sample import write_sample_model
from tests.faults.steady_load import SteadyLoad
from tests.system import ROOT, System, running, stub_python, wait_until

MODEL = "sample"
VICTIMS = (
    "watcher",
    "registry",
    "brain",
    "orchestrator",
    "runtime_agent",
    "redis",
    "nats",
    "engine",
    "gateway",
)
MAY_FAIL = frozenset({"gateway", "engine"})
"""Their requests in flight die with them; every other process must cost none."""


@dataclass(frozen=True)
class Round:
    """One victim and what became of the requests around its death."""

    victim: str
    sent: int
    answered: int
    failures: tuple[str, ...]
    reloaded: bool


def kill_and_restart(system: System, victim: str) -> None:
    """kill -9, then start it again and wait until it is ready."""
    if victim == "engine":
        for process in system.engines():
            process.kill()
        return
    system.kill(victim)
    system.start(victim)


async def one_round(system: System, victim: str, *, around: int) -> Round:
    """Load before, during and after the victim's death."""
    before = system.model(MODEL) or {}
    load = SteadyLoad(system.url, (MODEL,))
    running_load = asyncio.create_task(load.run())
    await load.more(around)
    await asyncio.to_thread(kill_and_restart, system, victim)
    await load.more(around)
    load.stop()
    tally = await running_load
    await asyncio.to_thread(system.wait_for_state, MODEL, "loaded")
    after = system.model(MODEL) or {}
    reloaded = after.get("generation") != before.get("generation")
    return Round(victim, tally.sent, tally.answered, tuple(tally.failed), reloaded)


def report(rounds: list[Round]) -> bool:
    """Print the table; whether every round that must not fail did not."""
    print(f"\n{'killed':<14}{'sent':>6}{'answered':>10}{'failed':>8}  engine")
    for row in rounds:
        engine = "loaded again" if row.reloaded else "kept"
        print(f"{row.victim:<14}{row.sent:>6}{row.answered:>10}{len(row.failures):>8}  {engine}")
        for failure in sorted(set(row.failures))[:3]:
            print(f"    {failure}")
    return all(
        not row.failures and not row.reloaded for row in rounds if row.victim not in MAY_FAIL
    )


def vllm_python() -> Path:
    """The interpreter that MODELIUM_VLLM_PYTHON names, else the one that `make up` installed."""
    named = os.environ.get("MODELIUM_VLLM_PYTHON")
    installed = sorted((ROOT / ".modelium" / "engines").glob("*/bin/python"))
    if named is None and not installed:
        sys.exit("faults: no vLLM here; `make faults` installs it, --stub does without")
    return Path(named) if named else installed[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--victims", nargs="*", default=VICTIMS, choices=VICTIMS)
    parser.add_argument("--around", type=int, default=20, help="requests before and after")
    parser.add_argument("--stub", action="store_true", help="the stub engine in place of vLLM")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelium-faults-") as name:
        folder = Path(name)
        engine = stub_python(folder) if args.stub else vllm_python()
        slot = 4 << 30
        with running(folder, engine_python=engine, slot_bytes=slot) as system:
            write_sample_model(system.models / MODEL)
            wait_until(f"{MODEL} is known", lambda: system.model(MODEL))
            system.chat(MODEL)
            rounds = [
                asyncio.run(one_round(system, victim, around=args.around))
                for victim in args.victims
            ]
    return 0 if report(rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
