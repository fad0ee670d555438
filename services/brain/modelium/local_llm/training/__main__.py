"""Trains and writes a model's folder; says how far it is in lines of JSON."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from modelium.local_llm.errors import CannotLoad
from modelium.local_llm.finding import OFFLINE
from modelium.local_llm.training.options import Options, options

NICENESS: Final = 5
"""Whoever answers requests comes first."""
TRAINED_ON: Final = "trained_on.json"


def main() -> int:
    """0: the model is in its folder; 1: the last line says why it is not."""
    os.environ.update(OFFLINE)
    os.nice(NICENESS)
    wanted = options()
    try:
        _train(wanted)
    except CannotLoad as wrong:
        say({"failed": str(wrong)})
        return 1
    except ImportError as missing:
        text = f"{sys.executable} cannot import {missing.name}, expected torch and transformers"
        say({"failed": text})
        return 1
    return 0


def say(message: dict[str, Any]) -> None:
    """To whoever started this."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _train(wanted: Options) -> None:
    from modelium.local_llm.training import data, judging, steps, tuning

    texts = data.read(wanted.dataset)
    tokenizer, model = _begun(wanted, [e for e in texts if e.part == data.TRAIN])
    tokens: dict[str, list[data.Tokens]] = {part: [] for part in (data.TRAIN, data.HELD_OUT)}
    for example in texts:
        tokens[example.part].append(data.tokens_of(example, tokenizer))
    model, how = tuning.trainable(model, scratch=not wanted.base)
    wanted.out.mkdir(parents=True, exist_ok=True)
    count = sum(w.numel() for w in model.parameters() if w.requires_grad)
    say({"how": how, "weights": count, "examples": len(tokens[data.TRAIN])})
    told = _told_to_end()
    training = steps.Training(model, tokens[data.TRAIN], wanted, say, lambda: bool(told))
    try:
        training.run()
    except steps.OtherTraining as other:
        raise CannotLoad(str(other)) from other
    if told:
        raise CannotLoad(f"interrupted after step {training.step}; the same command goes on there")
    whole = tuning.whole(model, how)
    _write(wanted, whole, tokenizer, texts)
    judgement = judging.judge(whole, tokens[data.HELD_OUT], tokenizer)
    say({"done": training.step, "held_out": asdict(judgement)})


def _begun(wanted: Options, learned: Sequence[Any]) -> tuple[Any, Any]:
    """Tokenizer and model before the first step."""
    if wanted.base:
        from modelium.local_llm.loading import load

        loaded = load(wanted.base, wanted.device)
        return loaded.tokenizer, loaded.model.float()
    from modelium.local_llm.training import scratch

    tokenizer = scratch.tokenizer_of(learned)
    return tokenizer, scratch.model_of(tokenizer, wanted.seed)


def _told_to_end() -> list[int]:
    """The signals that have come; they end no step in its middle."""
    told: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: told.append(number))
    return told


def _write(wanted: Options, whole: Any, tokenizer: Any, texts: Sequence[Any]) -> None:
    whole.save_pretrained(wanted.out)
    tokenizer.save_pretrained(wanted.out)
    about = {
        "prompts": sorted({example.prompt for example in texts}),
        "held_from_s": {example.trace: example.held_from_s for example in texts},
    }
    (wanted.out / TRAINED_ON).write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
