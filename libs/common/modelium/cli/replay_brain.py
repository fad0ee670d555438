"""A language model as the advisor of a replay: asked as the brain asks it, and waited for.

Unlike in the running system it leads from the start, and nothing happens while it thinks. Where it
does not answer, the rules do.
"""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Final

from modelium.cli.console import say
from modelium.common.advice import MetricsTick
from modelium.common.clock import Clock, SystemClock
from modelium.common.figures import Decision
from modelium.common.load_settings import Settings
from modelium.core import rules
from modelium.core.completions import LARGEST_ANSWER_BYTES, path, request_of, start_of, text_of
from modelium.core.contest import contest
from modelium.core.policy import Policy, policy
from modelium.core.prompts import NoAnswer, Prompt, about_decisions, decisions_of

DEADLINE_S: Final = 120.0
"""A replay is in no hurry, but an endpoint that hangs must not hang it."""


@dataclass(slots=True)
class AskedBrain:
    """Implements `Advisor`, and counts how it did."""

    policy: Policy
    endpoint: str
    model: str
    api_key: str | None = None
    clock: Clock = field(default_factory=SystemClock)
    asked: int = 0
    answered: int = 0
    took_s: float = 0.0
    last_failure: str = ""

    def __call__(self, tick: MetricsTick) -> tuple[Decision, ...]:
        """What it says where there is something to choose, else what the rules say."""
        contestants = contest(tick, self.policy)
        if not contestants:
            return rules.advise(tick, self.policy)
        self.asked += 1
        began_s = self.clock.monotonic()
        try:
            said = self._ask(about_decisions(tick, contestants))
            decisions = decisions_of(said, contestants)
            self.answered += 1
        except NoAnswer as none:
            self.last_failure = none.reason
            decisions = rules.advise(tick, self.policy)
        self.took_s += self.clock.monotonic() - began_s
        return decisions

    def _ask(self, prompt: Prompt) -> str:
        body = json.dumps(request_of(self.model, prompt)).encode()
        headers = {"content-type": "application/json"}
        if self.api_key:
            headers["authorization"] = f"Bearer {self.api_key}"
        url = path(self.endpoint)
        try:
            request = urllib.request.Request(url, body, headers)
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                return text_of(answer.read(LARGEST_ANSWER_BYTES))
        except urllib.error.HTTPError as refusal:
            said = start_of(refusal.read(LARGEST_ANSWER_BYTES))
            raise NoAnswer(f"{url} answered {refusal.code}: {said}") from refusal
        except (OSError, HTTPException, ValueError) as wrong:
            raise NoAnswer(f"{url} cannot be reached ({wrong})") from wrong

    def report(self) -> str:
        """How it did, in a line."""
        if not self.asked:
            return f"brain {self.model}: there was nothing to choose"
        line = (
            f"brain {self.model}: asked {self.asked} times, {self.answered} answers, "
            f"{self.took_s / self.asked:.2f} s each"
        )
        return f"{line}; last failure: {self.last_failure}" if self.last_failure else line


def brain_of(settings: Settings, endpoint: str, model: str) -> AskedBrain:
    """The one there, with the key and, where none is named, the model of the settings."""
    known = settings.modelium_brain
    key = known.api_key.get_secret_value() if known.api_key else None
    return AskedBrain(
        policy(settings.orchestration.policies), endpoint, model or known.model_name, key
    )


def report(brain: AskedBrain | None) -> None:
    """Say how it did."""
    if brain is not None and brain.asked:
        say(brain.report())
