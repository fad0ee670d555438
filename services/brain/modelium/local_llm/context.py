"""What a model has read, and its cache of it: what two questions begin with is read once."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

CHUNK: Final = 256
"""Tokens that are read at once: between two of them it is looked at the deadline."""


class Context:
    """Mutable, and of one model."""

    def __init__(self, model: Any) -> None:
        self.ids: list[int] = []
        self.passes = 0
        """Of the model, in all."""
        self._model = model
        self._cache: Any = None

    def back_to(self, ids: Sequence[int]) -> int:
        """Forget all that is not how `ids` begin; how many of these are known then.

        At least the last one is not: what comes next is told only of what is read.
        """
        known = 0
        for mine, other in zip(self.ids, ids[:-1], strict=False):
            if mine != other:
                break
            known += 1
        if known < len(self.ids):
            self._crop(known)
        return len(self.ids)

    def read(self, ids: Sequence[int], between: Callable[[], None]) -> Any:
        """Read on; returns a score for each token that could be next, all of them in one row.

        `between` is called before each pass, and may raise.
        """
        scores = None
        for start in range(0, len(ids), CHUNK):
            between()
            scores = self._pass(ids[start : start + CHUNK])
        assert scores is not None, "nothing was read"
        return scores

    def _pass(self, ids: Sequence[int]) -> Any:
        with torch.inference_mode():
            out = self._model(
                input_ids=torch.tensor([list(ids)], device=self._model.device),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self._cache = out.past_key_values
        self.ids += ids
        self.passes += 1
        return out.logits[:, -1, :].float().cpu()

    def _crop(self, known: int) -> None:
        """Caches that cannot forget a part, as those of sliding windows, forget all."""
        if known and getattr(self._cache, "is_croppable", False):
            self._cache.crop(known - len(self.ids))
            if self._cache.get_seq_length() == known:
                del self.ids[known:]
                return
        self.ids, self._cache = [], None
