"""Asks a language model of this machine, which runs in a child process; see `common/local_llm.py`.

It is asked only once it is loaded: until then, and while it is started anew, the rules advise.
"""

from pathlib import Path

from modelium.common.clock import Clock
from modelium.common.local_llm import LlmUnavailable, LocalLlm
from modelium.core.prompts import NoAnswer, NotReady, Prompt


class LocalBackend:
    """See `backend.Backend`."""

    def __init__(
        self, *, python: Path | None, model: str, device: str, deadline_s: float, clock: Clock
    ) -> None:
        self.name = f"local:{model}"
        self.llm = LocalLlm(
            python=python, model=model, device=device, within_s=deadline_s, clock=clock
        )

    async def run(self) -> None:
        await self.llm.run()

    async def ask(self, prompt: Prompt) -> str:
        try:
            return (await self.llm.ask(prompt.question)).text
        except LlmUnavailable as none:
            failure = NoAnswer if self.llm.about else NotReady
            raise failure(none.reason) from none

    async def close(self) -> None:
        """`run` leaves nothing behind."""
