"""Texts as tokens."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from modelium.model_host.errors import InvalidInput
from modelium.model_host.protocol.tensors import BYTES, Array, Tensors, TensorSpec

TEXT: Final = TensorSpec("text", BYTES, (-1,))
TOKENS: Final = TensorSpec("tokens", "INT64", (-1,))
SAMPLE: Final[Tensors] = {"text": np.array([b"a text"], object)}
_NO_LIMIT: Final = 1_000_000
"""What tokenizers have for a limit that nobody has set is far above it."""

_TOKEN_BYTES: Final = 64
"""More than the tokens of any text have on average, but of one that is mostly blanks."""
_MAX_BYTES: Final = 1 << 20
"""Of a text for a model that takes any number of tokens."""


class Tokens:
    """A model's tokenizer, and how many tokens the model takes."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens
        # To find out how many tokens a text has takes longer the longer it is.
        self._max_bytes = max_tokens * _TOKEN_BYTES or _MAX_BYTES

    def of(self, texts: Array, device: torch.device) -> dict[str, torch.Tensor]:
        """Rows of tokens, padded to the longest.

        Raises:
            InvalidInput: 400, a text is longer than the model takes, or no text.
        """
        if not len(texts):
            raise InvalidInput("input 'text' has no rows; a text is expected")
        longest = max(map(len, texts.tolist()))
        if longest > self._max_bytes:
            text = f"input 'text': a text of {longest} bytes, at most {self._max_bytes} are taken"
            raise InvalidInput(text)
        try:
            decoded = [value.decode() for value in texts.tolist()]
        except UnicodeDecodeError as error:
            raise InvalidInput("input 'text': its bytes are not UTF-8") from error
        rows = self._tokenizer(decoded, padding=True, return_tensors="pt")
        longest = int(rows["attention_mask"].sum(-1).max())
        if self.max_tokens and longest > self.max_tokens:
            text = f"input 'text': {longest} tokens, this model takes {self.max_tokens} at most"
            raise InvalidInput(text)
        return {name: tensor.to(device) for name, tensor in rows.items()}


def load_tokens(folder: Path, model: Any, max_tokens: int = 0) -> Tokens:
    """The tokenizer in a model's folder; `max_tokens`: less than the model can take, 0 if not."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
    limits = [max_tokens, tokenizer.model_max_length, _positions(model)]
    return Tokens(tokenizer, min((n for n in limits if 0 < n < _NO_LIMIT), default=0))


def _positions(model: Any) -> int:
    """Positions that the model has learned; 0: not known."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            # Some count from after the padding's index, and keep those before it unused.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return int(module.num_embeddings) - unused
    return int(getattr(model.config, "max_position_embeddings", 0) or 0)
