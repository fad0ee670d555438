"""Answers questions until its input ends: `python -m modelium.local_llm --model NAME`.

One line of JSON in, one out, in turn. The first that it writes says that it is ready, or why it
never will be.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import IO, Any, Final

from modelium.local_llm.clock import monotonic
from modelium.local_llm.errors import CannotLoad, NoAnswer, first_line

SETTING: Final = "modelium_brain.python"


def main() -> int:
    """Load, then answer; 1: the model cannot be loaded."""
    options = _options()
    os.nice(options.nice)
    # Ctrl-C is for whoever started this: its end of the pipe says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = _own_output()
    try:
        began_s = monotonic()
        decoder, about = _load(options)
    except CannotLoad as wrong:
        _say(out, {"cannot_load": str(wrong)})
        return 1
    _say(out, {"ready": {**about, "took_s": monotonic() - began_s}})
    _serve(decoder, sys.stdin, out)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("modelium.local_llm", description=__doc__)
    parser.add_argument("--model", required=True, help="its folder, or its name on the hub")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--nice", type=int, default=0, help="how far others come first")
    return parser.parse_args()


def _own_output() -> IO[str]:
    """Where only answers go: what libraries print goes to stderr."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8")


def _load(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    from modelium.local_llm.finding import OFFLINE, folder_of

    os.environ.update(OFFLINE)
    try:
        folder = folder_of(options.model)  # before seconds are spent on torch
        from modelium.local_llm.decoding import Decoder, proven
        from modelium.local_llm.loading import load
    except ImportError as missing:
        raise CannotLoad(
            f"{sys.executable} ({SETTING}) cannot import {missing.name}: it has to have torch, "
            "transformers and llguidance, as vLLM's environment has"
        ) from missing
    loaded = load(str(folder), options.device)
    about = {
        "device": loaded.device,
        "parameters": loaded.parameters,
        "size_bytes": loaded.size_bytes,
    }
    return proven(Decoder(loaded)), about


def _serve(decoder: Any, questions: Iterable[str], out: IO[str]) -> None:
    from modelium.local_llm.decoding import Question

    for line in questions:
        asked = json.loads(line)
        number = asked.pop("id")
        try:
            said = asdict(decoder.answer(Question(**asked)))
        except NoAnswer as none:
            said = {"failed": str(none)}
        except (RuntimeError, ValueError) as wrong:
            # Such as memory that is out; whoever asks starts another if that goes on.
            said = {"failed": first_line(wrong)}
        _say(out, {"id": number, **said})


def _say(out: IO[str], message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
