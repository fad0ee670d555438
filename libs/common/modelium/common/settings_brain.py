"""The brain's section of the settings."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, HttpUrl, PositiveFloat, PositiveInt, SecretStr

from modelium.common.settings_base import Section


class BrainBackend(StrEnum):
    """Who thinks."""

    RULES = "rules"
    OPENAI = "openai"
    LOCAL = "local"


class Tuning(Section):
    """How the policies are fitted to the demand."""

    enabled: bool = Field(
        default=True,
        description="Whether the brain replays the recent demand by other policies, and applies "
        "those that would have served it clearly better; none that an operator has set.",
    )
    every_seconds: PositiveFloat = Field(
        default=3600.0, description="Seconds between two rounds; a change takes two that agree."
    )
    window_hours: PositiveFloat = Field(
        default=6.0, description="Hours of demand that are replayed, the last ones."
    )
    cpu_seconds: PositiveInt = Field(
        default=300,
        description="Seconds of CPU that a round may take, at the lowest priority; one that takes "
        "more is given up, and the next replays half as much, until there is time for more.",
    )


class Brain(Section):
    """The advisor."""

    tuning: Tuning = Field(default_factory=Tuning)

    enabled: bool = Field(default=True, description="Whether the brain gives advice at all.")
    backend: BrainBackend = Field(
        default=BrainBackend.RULES,
        description="rules; openai: a language model behind an OpenAI-compatible endpoint; or "
        "local: one in a process beside the brain. A language model advises beside the rules and "
        "leads once it has done better.",
    )
    model_name: str = Field(
        default="Qwen/Qwen2.5-1.5B-Instruct",
        min_length=1,
        description="The language model, by the name that the endpoint knows; for local: its "
        "folder, or its name on the Hugging Face hub, from whose cache it is read.",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Where a local language model computes: cpu, cuda or cuda:1; "
        "auto: on a GPU if there is one.",
    )
    python: Path | None = Field(
        default=None,
        description="Interpreter for a local language model, with torch, transformers and "
        "llguidance; none: that of vllm.python.",
    )
    endpoint: HttpUrl = Field(
        default=HttpUrl("http://127.0.0.1:8000/v1"),
        description="Base URL of the language model; the default is Modelium's own gateway.",
    )
    api_key: SecretStr | None = Field(default=None, description="Key for the endpoint.")
    deadline_seconds: PositiveFloat | None = Field(
        default=None,
        description="Seconds a language model may think; none: half the decision interval.",
    )
    fallback_to_rules: bool = Field(
        default=True, description="Whether the rules answer when no language model does."
    )
