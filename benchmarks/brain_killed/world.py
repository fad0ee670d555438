"""The system under test: one model on real vLLM, cold ones on stub engines, the brain beside.

The warm model is pinned, so its requests wait for nothing but the engine. The cold ones have memory
for two of five: there is always one that was used a moment ago and is not loaded, so there is
something to choose at every tick.
"""

import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.brain_killed.thinker import ADVISOR, NAME, Thinker
from benchmarks.processes import wait_for_port
from modelium.cli.sample import write_sample_model
from modelium.common.settings import MIB
from tests.advisors import restart_leading
from tests.system import ROOT, SERVERS, SERVICES, System, free_port

WARM: Final = "warm"
COLD: Final = tuple(f"cold-{number}" for number in range(1, 6))
INTERVAL_S: Final = 4.0
"""Between ticks; 10 by default, but then there would be few of them in a phase."""
DEADLINE_S: Final = INTERVAL_S / 2
"""As it is by default."""
SLOT_BYTES: Final = 4608 * MIB
_OVERHEAD_BYTES: Final = 1600 * MIB
"""What an engine is expected to hold before one was measured; see `benchmarks/swap.py`."""
_STUB_MIB: Final = 1000
_LOAD_S: Final = 300.0


class World:
    """A system and the engine that its brain asks."""

    def __init__(self, folder: Path, python: Path) -> None:
        port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        engine = _two_kinds(folder / "engine-python", python)
        self.system = System(
            folder / "system", engine_python=engine, slot_bytes=SLOT_BYTES, settings=_settings(port)
        )
        self.thinker = Thinker(self.system, python, port)

    def start_servers(self) -> None:
        """NATS, which may be listened to from now on, and Redis."""
        self.system.start(*SERVERS)
        for name in SERVERS:
            wait_for_port(self.system.ports[name])

    def start(self) -> None:
        """All services; every model was loaded once."""
        self.system.start(*SERVICES)
        for seed, name in enumerate((WARM, *COLD)):
            write_sample_model(self.system.models / name, seed=seed + 10)
        self.system.wait_for_state(WARM, "loaded", _LOAD_S)
        for name in COLD:
            self.system.wait_for_state(name, "unloaded")
            self.system.chat(name)
        self.system.chat(WARM)

    def empty(self) -> None:
        """No cold model is loaded."""
        for name in COLD:
            self.system.post(f"/admin/models/{name}/unload", {})
        for name in COLD:
            self.system.wait_for_state(name, "unloaded")

    async def restart_brain(self, *, rules_only: bool) -> None:
        """A fresh one; its language model leads, unless it has none."""
        if not rules_only:
            await restart_leading(self.system, ADVISOR)
            return
        self.system.kill("brain")
        command = self.system.command("brain")
        self.system.spawn("brain", command, MODELIUM_MODELIUM_BRAIN__BACKEND="rules")


def _settings(port: int) -> dict[str, Any]:
    endpoint = f"http://127.0.0.1:{port}/v1"
    return {
        "modelium_brain": {"backend": "openai", "endpoint": endpoint, "model_name": NAME},
        "orchestration": {
            "decision_interval_seconds": INTERVAL_S,
            "policies": {"always_loaded": [WARM], "min_residency_seconds": 1.0},
        },
        "vllm": {"overhead_bytes": _OVERHEAD_BYTES, "kv_cache_bytes": 64 * MIB},
    }


def _two_kinds(path: Path, python: Path) -> Path:
    """An interpreter that is the stub engine for the cold models, and the real one otherwise."""
    stub = f"{sys.executable} {ROOT / 'tests' / 'stubs' / 'engine.py'} --resident-mib {_STUB_MIB}"
    path.write_text(
        f'#!/bin/sh\ncase " $* " in\n*" --served-model-name cold-"*) exec {stub} "$@" ;;\nesac\n'
        f'exec {python} "$@"\n'
    )
    path.chmod(0o755)
    return path
