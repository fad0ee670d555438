"""How a model does on examples that it never saw: how many of its choices are the best ones."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from modelium.local_llm.training.data import Tokens, tensors

ACTIONS: Final = ("keep", "evict", "sleep", "load", "wake")
MOST: Final = 200
"""Examples."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of choices, each of one model in one question."""

    choices: int
    right: float
    """Share of them."""
    commonest: float
    """Share that who always says the commonest has right."""


def judge(model: Any, examples: Sequence[Tokens], tokenizer: Any) -> Judgement:
    """Each choice is made after the right ones before it."""
    step = max(1, len(examples) // MOST)
    actions = {tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ACTIONS}
    wanted: Counter[int] = Counter()
    right = 0
    model.eval()
    with torch.inference_mode():
        for example in examples[::step][:MOST]:
            batch = tensors([example], model.device)
            said = model(input_ids=batch["input_ids"]).logits[0].argmax(-1).tolist()
            for at, label in enumerate(example.labels[1:]):
                if label in actions:
                    wanted[label] += 1
                    right += said[at] == label
    model.train()
    count = sum(wanted.values())
    return Judgement(count, right / max(1, count), max(wanted.values(), default=0) / max(1, count))
