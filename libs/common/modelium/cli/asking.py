"""Asks a language model from a command: behind an endpoint, or in a child process of this one.

Unlike the brain it waits: a replay is in no hurry.
"""

import asyncio
import json
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Final, Protocol

from modelium.cli.layout import Layout
from modelium.common import logs
from modelium.common.clock import SystemClock
from modelium.common.load_settings import Settings
from modelium.common.local_llm import LlmUnavailable, LocalLlm
from modelium.common.settings_brain import Brain, BrainBackend
from modelium.core.completions import LARGEST_ANSWER_BYTES, path, request_of, start_of, text_of
from modelium.core.prompts import NoAnswer, Prompt

DEADLINE_S: Final = 120.0
"""An endpoint that hangs must not hang a replay."""


class Asker(Protocol):
    """Somebody who asks a language model."""

    name: str
    """For people: the kind of backend, the model, and how large it is, if known."""
    cpu_s: float | None
    """That all answers took together; None: nobody knows."""

    def ask(self, prompt: Prompt) -> str:
        """The answer's text.

        Raises:
            NoAnswer: there is none.
        """

    def close(self) -> None:
        """Leave nothing behind."""


class EndpointAsker:
    """Implements `Asker`."""

    cpu_s: float | None = None

    def __init__(self, endpoint: str, model: str, api_key: str | None = None) -> None:
        """`endpoint` is the base URL, with /v1."""
        self.name = f"openai:{model}"
        self._model = model
        self._url = path(endpoint)
        self._headers = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"

    def ask(self, prompt: Prompt) -> str:
        body = json.dumps(request_of(self._model, prompt)).encode()
        try:
            request = urllib.request.Request(self._url, body, self._headers)
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                return text_of(answer.read(LARGEST_ANSWER_BYTES))
        except urllib.error.HTTPError as refusal:
            said = start_of(refusal.read(LARGEST_ANSWER_BYTES))
            raise NoAnswer(f"{self._url} answered {refusal.code}: {said}") from refusal
        except (OSError, HTTPException, ValueError) as wrong:
            raise NoAnswer(f"{self._url} cannot be reached ({wrong})") from wrong

    def close(self) -> None:
        """Nothing is held."""


class LocalAsker:
    """Implements `Asker`."""

    def __init__(self, *, python: Path | None, model: str, device: str = "auto") -> None:
        """Starts the process, and waits until it has loaded the model.

        Raises:
            LlmUnavailable: it cannot.
        """
        logs.for_a_command()
        self._runner = asyncio.Runner()
        self._llm = LocalLlm(
            python=python,
            model=model,
            device=device,
            within_s=DEADLINE_S,
            clock=SystemClock(),
            nice=0,
        )
        self._keeping = self._runner.get_loop().create_task(self._llm.run())
        self.cpu_s: float | None = 0.0
        try:
            about = self._runner.run(self._llm.loaded())
        except LlmUnavailable:
            self.close()
            raise
        millions, size = about.parameters / 1e6, about.size_bytes / 1e6
        self.name = f"local:{model} ({millions:.3g} M parameters, {size:.3g} MB, {about.device})"

    def ask(self, prompt: Prompt) -> str:
        """The same, and LlmUnavailable when its process has ended."""
        try:
            said = self._runner.run(self._llm.ask(prompt.question))
        except LlmUnavailable as none:
            if self._llm.about is None:
                raise
            raise NoAnswer(none.reason) from none
        self.cpu_s = (self.cpu_s or 0.0) + said.cpu_s
        return said.text

    def close(self) -> None:
        """Cancels what keeps the process up, which then ends it."""
        self._runner.close()


def asker_of(settings: Settings, *, endpoint: str = "", model: str = "") -> Asker | None:
    """The one of the settings, or the one named instead: with an endpoint, the model there; with
    a model alone, a local one. None: neither names one.

    Raises:
        LlmUnavailable: a local one cannot be started.
    """
    known = settings.modelium_brain
    model_name = model or known.model_name
    if endpoint or (not model and known.backend is BrainBackend.OPENAI):
        key = known.api_key.get_secret_value() if known.api_key else None
        return EndpointAsker(endpoint or str(known.endpoint), model_name, key)
    if model or known.backend is BrainBackend.LOCAL:
        return LocalAsker(python=_python(settings, known), model=model_name, device=known.device)
    return None


def _python(settings: Settings, brain: Brain) -> Path | None:
    return brain.python or settings.vllm.python or Layout.here().engine_python()
