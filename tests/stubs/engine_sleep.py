"""The sleep mode of the stand-in for a vLLM server, with the traps of the real one.

Asleep, requests hang while `/health` answers 200. Level 2 forgets the weights: `/wake_up` brings
their memory back with garbage in it, until `reload_weights` fills it. With tags it stays paused
until all are there; without, it goes on at once with whatever it has.
"""

import asyncio
import json
import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

TAGS: Final = frozenset({"weights", "kv_cache"})
SHARES: Final = {"weights": 0.6, "kv_cache": 0.3}
"""Of its memory; the rest, such as the CUDA context, is never given back."""
KEPT_BY_LEAK: Final = 0.8


class Trap(StrEnum):
    """What goes wrong."""

    SLEEP_HANGS = "sleep-hangs"
    KEEPS_MEMORY = "keeps-memory"
    SAYS_IT_IS_AWAKE = "says-it-is-awake"
    WAKE_HANGS = "wake-hangs"
    WAKE_FAILS = "wake-fails"
    DIES_ON_WAKE = "dies-on-wake"
    WRONG_AFTER_WAKE = "wrong-after-wake"
    HANGS_AFTER_WAKE = "hangs-after-wake"


@dataclass
class SleepMode:
    """The state machine; `gpu` is a folder in which a file says what this process holds."""

    enabled: bool = True
    gpu: Path | None = None
    gpu_bytes: int = 0
    trap: Trap | None = None
    resident: frozenset[str] = TAGS
    weights_are_right: bool = True
    has_slept: bool = field(default=False)

    @property
    def asleep(self) -> bool:
        """Whether requests hang."""
        deaf = self.trap is Trap.HANGS_AFTER_WAKE and self.has_slept
        return self.resident != TAGS or deaf

    @property
    def word(self) -> str:
        """What its tokens begin with."""
        return "t" if self.weights_are_right else "garbage"

    async def answer(self, path: str, query: bytes, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and body of one of the routes of vLLM's administration; 404 for others."""
        asked = parse_qs(query.decode())
        if not self.enabled:
            return 404, {"detail": "Not Found"}
        match path:
            case "/sleep":
                await self._sleep(int(asked.get("level", ["1"])[0]))
            case "/wake_up":
                return await self._wake(frozenset(asked.get("tags", TAGS)))
            case "/collective_rpc":
                return self._call(json.loads(body)["method"])
            case "/is_sleeping":
                says_awake = self.trap is Trap.SAYS_IT_IS_AWAKE
                return 200, {"is_sleeping": self.resident != TAGS and not says_awake}
            case _:
                return 404, {"detail": "Not Found"}
        return 200, {}

    async def _sleep(self, level: int) -> None:
        await self._hang(Trap.SLEEP_HANGS)
        if level:
            self.resident, self.has_slept = frozenset(), True
        if level == 2:
            self.weights_are_right = False
        self.hold()

    async def _wake(self, tags: frozenset[str]) -> tuple[int, dict[str, Any]]:
        await self._hang(Trap.WAKE_HANGS)
        if self.trap is Trap.DIES_ON_WAKE:
            os._exit(0)
        if self.trap is Trap.WAKE_FAILS:
            return 500, {"error": {"message": "CUDA Error: out of memory at cumem_allocator.cpp"}}
        self.resident |= tags
        if self.trap is Trap.WRONG_AFTER_WAKE:
            self.weights_are_right = False
        self.hold()
        return 200, {"status": "awake" if self.resident == TAGS else "sleeping"}

    def _call(self, method: str) -> tuple[int, dict[str, Any]]:
        if method != "reload_weights" or "weights" not in self.resident:
            return 500, {"error": {"message": f"{method} is not possible now"}}
        self.weights_are_right = self.trap is not Trap.WRONG_AFTER_WAKE
        return 200, {"results": [None]}

    async def _hang(self, trap: Trap) -> None:
        if self.trap is trap:
            await asyncio.Event().wait()

    def hold(self) -> None:
        """Say in the folder how much of the GPU this process holds now."""
        if self.gpu is None:
            return
        missing = sum(SHARES[tag] for tag in TAGS - self.resident)
        share = 1 - missing
        if self.trap is Trap.KEEPS_MEMORY and missing:
            share = KEPT_BY_LEAK
        written = self.gpu / f"{os.getpid()}.part"
        written.write_text(str(int(self.gpu_bytes * share)))
        written.replace(self.gpu / f"{os.getpid()}.bytes")
