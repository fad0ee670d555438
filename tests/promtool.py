"""Debian's promtool and amtool, which say what is wrong with metrics, rules and settings."""

import shutil
import subprocess
from pathlib import Path

import pytest


def tool(name: str) -> str:
    """Its path; a test without it is skipped, with what installs it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; scripts/bootstrap --dev installs it")
    return found


def complaints(name: str, *arguments: str | Path, text: bytes = b"") -> str:
    """What the tool has to say against it; empty: nothing."""
    done = subprocess.run(
        [tool(name), *map(str, arguments)], input=text, capture_output=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode()
    return said if done.returncode else ""
