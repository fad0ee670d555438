"""The port to a language model: one question, one answer of the form that was asked for."""

from dataclasses import dataclass
from typing import Any, Protocol

from modelium.common.errors import ModeliumError


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a language model is asked."""

    version: str
    """Of the wording and of the form of the answer."""
    system: str
    """The same for every question, so that its cache can be used again."""
    user: str
    schema: dict[str, Any]
    """JSON Schema of the answer: an object of enumerations, without free text."""
    most_tokens: int
    """No answer of this form is longer."""


class NoAnswer(ModeliumError):
    """The language model did not answer in time, or not as was asked; the reason is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Backend(Protocol):
    """Somebody who asks a language model."""

    name: str
    """For people: the kind of backend and the model."""

    async def ask(self, prompt: Prompt) -> str:
        """The answer's text, JSON if the language model did as it was told.

        Takes as long as it takes: whoever asks has a deadline and cancels.

        Raises:
            NoAnswer: there is none.
        """

    async def close(self) -> None:
        """Let go of what it holds."""
