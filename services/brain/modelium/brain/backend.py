"""The port to a language model: one question, one answer of the form that was asked for."""

from typing import Protocol

from modelium.core.prompts import Prompt


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

    async def run(self) -> None:
        """Keep up what it needs, until cancelled; returns at once if that is nothing."""

    async def close(self) -> None:
        """Let go of what it holds."""
