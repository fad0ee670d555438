"""Says how well the analysis can be shut in on this machine; `modelium doctor` asks.

The last line is the level, with what to do about it where it is not enough: exit code 1.
"""

import asyncio
import sys

from modelium.common.clock import SystemClock
from modelium.common.errors import ExitCode
from modelium.common.settings import SandboxPolicy, Security
from modelium.watcher.safety import bubblewrap
from modelium.watcher.safety.sandbox import REMEDY, SHUT_IN, Sandbox


def main() -> ExitCode:
    """Try it, whatever the settings demand."""
    settings = Security(sandbox=SandboxPolicy.BEST_EFFORT)
    sandbox = Sandbox(settings, clock=SystemClock(), bwrap=bubblewrap.find())
    level = asyncio.run(sandbox.prepare())
    enough = level in SHUT_IN
    sys.stdout.write(f"{level}\n" if enough else f"{level}: {REMEDY}\n")
    return ExitCode.OK if enough else ExitCode.FAILURE


if __name__ == "__main__":
    sys.exit(main())
