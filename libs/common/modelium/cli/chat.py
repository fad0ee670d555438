"""`modelium run`: a conversation with a model in the terminal."""

import sys
from dataclasses import dataclass
from typing import Any

from modelium.cli.console import coloured, harmless, out_json, say
from modelium.cli.gateway_client import GatewayClient, Piece, Progress
from modelium.cli.unknown_model import in_our_words

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Options:
    """What goes beside the messages; None: the model's own default."""

    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None

    def fields(self) -> dict[str, Any]:
        """As the API calls them."""
        values = {"max_tokens": self.max_tokens, "temperature": self.temperature}
        return {name: value for name, value in values.items() if value is not None}


def chat(
    client: GatewayClient, model: str, prompt: str | None, options: Options, *, as_json: bool
) -> None:
    """One answer, or a conversation until end of input when there is no prompt."""
    messages: Messages = []
    if options.system:
        messages.append({"role": "system", "content": options.system})
    if prompt is None and not sys.stdin.isatty():
        prompt = sys.stdin.read()
    if prompt is not None:
        messages.append({"role": "user", "content": prompt})
        with in_our_words(client, model):
            answer = _answer(client, model, messages, options, show=not as_json)
        if as_json:
            out_json({"model": model, "answer": answer})
        return
    _converse(client, model, messages, options)


def _converse(client: GatewayClient, model: str, messages: Messages, options: Options) -> None:
    say(f"Talking to {model}; Ctrl-D ends.", "dim")
    while True:
        try:
            prompt = input(coloured("> ", "bold", sys.stdout))
        except (EOFError, KeyboardInterrupt):
            say()
            return
        if prompt.strip():
            messages.append({"role": "user", "content": prompt})
            with in_our_words(client, model):
                answer = _answer(client, model, messages, options, show=True)
            messages.append({"role": "assistant", "content": answer})


def _answer(
    client: GatewayClient, model: str, messages: Messages, options: Options, *, show: bool
) -> str:
    """The whole answer; with `show`, also written piece by piece as it comes."""
    pieces: list[str] = []
    noted = False
    for part in client.chat(model, messages, **options.fields()):
        if isinstance(part, Progress):
            noted = _note(part.text)
        elif isinstance(part, Piece):
            noted = noted and _note("")
            text = part.text if pieces else part.text.lstrip()
            pieces.append(text)
            if show:
                sys.stdout.write(harmless(text, sys.stdout))
                sys.stdout.flush()
    if show:
        sys.stdout.write("\n")
    return "".join(pieces)


def _note(text: str) -> bool:
    """How the model loads: in place on a terminal, else a line each; whether one is shown."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{coloured(text, 'dim', sys.stderr)}")
        sys.stderr.flush()
    elif text:
        say(text)
    return bool(text)
