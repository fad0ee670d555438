"""`security`: what a model's files have to be, and how far they are trusted."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from modelium.common.records import ModelName
from modelium.common.settings_base import GIB, Section


class SandboxPolicy(StrEnum):
    """What happens where the analysis of files cannot be shut in well."""

    REQUIRED = "required"
    """The watcher does not start."""
    BEST_EFFORT = "best_effort"
    """It says so, and goes on with what there is."""


class Security(Section):
    """Model files, which strangers may have made."""

    sandbox: SandboxPolicy = Field(
        default=SandboxPolicy.REQUIRED,
        description="required: the watcher starts only where files can be read in a sandbox; "
        "best_effort: it warns and goes on with what this machine has.",
    )
    analysis_seconds: PositiveFloat = Field(
        default=60.0, description="Seconds after which reading a model's headers is given up."
    )
    analysis_memory_bytes: PositiveInt = Field(
        default=1 * GIB,
        description="Memory that reading a model's headers may take; three times an ONNX file's "
        "size is added for it, as it is read whole.",
    )
    analyses_at_once: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Models that are read beside each other, each in a process of its own: a large "
        "signed one takes minutes, and the others should not wait for it.",
    )
    require_signature: tuple[Path, ...] = Field(
        default=(),
        description="PEM files of public keys and certificates; if any is named, only models "
        "signed by one of them are served.",
    )
    trust_remote_code: tuple[ModelName, ...] = Field(
        default=(),
        description="Models whose own Python code (auto_map) engines may run; with it a model can "
        "do what its engine can.",
    )
