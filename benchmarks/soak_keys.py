"""The keys of the soak and their limits: wide ones, which all is counted by, and tight ones."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

from tests.system import System

SLOTS: Final = 32
"""Requests of the wide key at a time; more than all visitors together."""
_MINUTE: Final = 1_000_000
SETTINGS: Final[dict[str, Any]] = {
    "gateway": {
        "limits": {
            "requests_per_minute": _MINUTE,
            "tokens_per_minute": 100 * _MINUTE,
            "concurrent_requests": SLOTS,
        }
    }
}
"""Of each organisation, beside those of the keys."""
_WIDE: Final = ("--requests-per-minute", str(_MINUTE), "--tokens-per-minute", str(100 * _MINUTE))
_TIGHT: Final = ("--requests-per-minute", "20", "--concurrent-requests", "1")


@dataclass(frozen=True)
class Keys:
    """Headers of requests with each key."""

    wide: dict[str, str]
    tight: dict[str, str]


def make_keys(system: System) -> Keys:
    """One for nearly everybody, and one of another organisation, which is mostly refused."""
    slots = ("--concurrent-requests", str(SLOTS))
    return Keys(
        wide=_made(system, "--organization", "soak", *_WIDE, *slots),
        tight=_made(system, "--organization", "guests", *_TIGHT),
    )


def _made(system: System, *words: str) -> dict[str, str]:
    command = (sys.executable, "-m", "modelium.cli.main", "keys", "create", "--json", *words)
    # In the folder of the services, where the pepper is.
    made = subprocess.run(
        (*command, "--config", str(system.config)),
        cwd=system.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return {"authorization": f"Bearer {json.loads(made.stdout)['key']}"}
