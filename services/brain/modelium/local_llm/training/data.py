"""Examples as tokens: the question is read, only the answer is learned."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from modelium.local_llm.errors import CannotLoad

UNLEARNED: Final = -100
"""What torch takes for a token that nobody is to learn."""
TRAIN: Final = "train"
HELD_OUT: Final = "held_out"
_FIELDS: Final = frozenset({"part", "trace", "held_from_s", "prompt", "system", "user", "answer"})

_EXPECTED: Final = "expected examples, as `modelium brain dataset` writes them"


@dataclass(frozen=True, slots=True)
class Texts:
    """One example as it is in the file."""

    part: str
    trace: str
    held_from_s: float
    prompt: str
    """The version of the question."""
    system: str
    user: str
    answer: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """One example as the model reads it; `labels` has UNLEARNED for the question."""

    ids: list[int]
    labels: list[int]


def read(path: Path) -> list[Texts]:
    """All examples of a file.

    Raises:
        CannotLoad: it cannot be read, or a line of it is no example.
    """
    found = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            found.append(_example(f"{path}, line {number}", line))
    except OSError as wrong:
        raise CannotLoad(f"{path} cannot be read: {wrong.strerror or wrong}") from wrong
    except UnicodeDecodeError as wrong:
        raise CannotLoad(f"{path} is no text: {_EXPECTED}") from wrong
    if not any(example.part == TRAIN for example in found):
        raise CannotLoad(f"{path} has no example to train with")
    return found


def _example(where: str, line: str) -> Texts:
    try:
        known = json.loads(line)
    except json.JSONDecodeError:
        known = None
    if not isinstance(known, dict):
        raise CannotLoad(f"{where} is no JSON object: {_EXPECTED}")
    if missing := _FIELDS - known.keys():
        raise CannotLoad(f"{where} has no {', '.join(sorted(missing))}: {_EXPECTED}")
    return Texts(**{name: known[name] for name in _FIELDS})


def tokens_of(example: Texts, tokenizer: Any) -> Tokens:
    """In the model's own form of a question, as it is asked later."""
    asked = tokenizer.apply_chat_template(
        [
            {"role": "system", "content": example.system},
            {"role": "user", "content": example.user},
        ],
        tokenize=False,
        add_generation_prompt=True,
    )
    question = tokenizer(asked, add_special_tokens=False)["input_ids"]
    answer = tokenizer(example.answer, add_special_tokens=False)["input_ids"]
    answer = [*answer, tokenizer.eos_token_id]
    return Tokens([*question, *answer], [*[UNLEARNED] * len(question), *answer])


def batches(examples: Sequence[Tokens], size: int, seed: int) -> Iterator[list[Tokens]]:
    """Without end, each example once a round; those of a batch are about as long as each other.

    The same seed gives the same order.
    """
    draw = torch.Generator().manual_seed(seed)
    by_length = sorted(range(len(examples)), key=lambda n: len(examples[n].ids))
    groups = [by_length[at : at + size] for at in range(0, len(by_length), size)]
    while True:
        for n in torch.randperm(len(groups), generator=draw).tolist():
            yield [examples[m] for m in groups[n]]


def tensors(batch: Sequence[Tokens], device: Any) -> dict[str, Any]:
    """Padded on the right, which the mask hides."""
    longest = max(len(example.ids) for example in batch)
    short = [longest - len(example.ids) for example in batch]
    rows = {
        "input_ids": [e.ids + [0] * n for e, n in zip(batch, short, strict=True)],
        "labels": [e.labels + [UNLEARNED] * n for e, n in zip(batch, short, strict=True)],
        "attention_mask": [[1] * len(e.ids) + [0] * n for e, n in zip(batch, short, strict=True)],
    }
    return {name: torch.tensor(values, device=device) for name, values in rows.items()}
