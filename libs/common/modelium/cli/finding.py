"""What an examination of `modelium doctor` gets, and what it says.

A check yields findings and raises nothing but `ModeliumError`, which becomes a finding too.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from modelium.cli.layout import Layout
from modelium.common.load_settings import Settings


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and what to do about it."""

    subject: str
    verdict: Verdict
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Patient:
    """What is examined."""

    settings: Settings
    config: Path | None
    layout: Layout


def fine(subject: str, text: str) -> Finding:
    """Nothing to do here."""
    return Finding(subject, Verdict.OK, text)


def warning(subject: str, text: str, remedy: str) -> Finding:
    """It may get in the way."""
    return Finding(subject, Verdict.WARNING, text, remedy)


def failed(subject: str, text: str, remedy: str) -> Finding:
    """It does not work like that."""
    return Finding(subject, Verdict.FAILED, text, remedy)
