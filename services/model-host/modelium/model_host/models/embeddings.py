"""Embedders of transformers and of sentence-transformers: texts in, vectors out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from modelium.model_host.errors import CannotLoad
from modelium.model_host.models.pretrained import folder_of, weights
from modelium.model_host.models.tokens import SAMPLE, TEXT, TOKENS, Tokens, load_tokens
from modelium.model_host.models.torch_tensors import prepare, running, to_numpy
from modelium.model_host.options import Options
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import Tensors, TensorSpec

_MODES: Final = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "lasttoken",
}
_KNOWN: Final = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True, slots=True)
class Pooling:
    """How the vectors of tokens become that of a text."""

    mode: str = "mean"
    normalize: bool = True
    max_tokens: int = 0


class Embedder:
    """A model with one vector per text."""

    platform = "transformers_embedding"
    sample = SAMPLE
    admit = None

    def __init__(self, model: Any, tokens: Tokens, pooling: Pooling, device: torch.device) -> None:
        vector = TensorSpec("embedding", "FP32", (-1, int(model.config.hidden_size)))
        self.signature = Signature((TEXT,), (vector, TOKENS))
        self._model = model
        self._tokens = tokens
        self._pooling = pooling
        self._device = device

    def run(self, inputs: Tensors) -> Tensors:
        """See `Model`."""
        rows = self._tokens.of(inputs["text"], self._device)
        mask = rows["attention_mask"]
        with running():
            states = self._model(**rows).last_hidden_state.float()
            vectors = pooled(states, mask, self._pooling.mode)
            if self._pooling.normalize:
                vectors = torch.nn.functional.normalize(vectors, dim=-1)
        return {"embedding": to_numpy(vectors), "tokens": to_numpy(mask.sum(-1))}


def pooled(states: torch.Tensor, mask: torch.Tensor, mode: str) -> torch.Tensor:
    """One vector per row, of the tokens that are no padding."""
    if mode == "cls":
        # The first that is no padding, on whichever side that is.
        return states[torch.arange(len(states)), mask.argmax(-1)]
    if mode == "lasttoken":
        last = mask.shape[1] - 1 - mask.flip(-1).argmax(-1)
        return states[torch.arange(len(states)), last]
    spread = mask.unsqueeze(-1)
    if mode == "max":
        return states.masked_fill(spread == 0, float("-inf")).max(1).values
    return (states * spread).sum(1) / spread.sum(1).clamp(min=1)


def load(options: Options) -> Embedder:
    """Load an embedder; see `loading.load`."""
    folder = folder_of(options)
    pooling = pooling_of(folder)
    device = prepare(options)
    from transformers import AutoModel

    # Its pooler is for another task.
    model = weights(AutoModel, folder, device, unused=lambda name: name.startswith("pooler."))
    return Embedder(model, load_tokens(folder, model, pooling.max_tokens), pooling, device)


def pooling_of(folder: Path) -> Pooling:
    """What sentence-transformers' files say; a folder without them is pooled by its mean.

    Raises:
        CannotLoad: they ask for what is not there.
    """
    if not (folder / "modules.json").is_file():
        return Pooling()
    modules = _read(folder / "modules.json")
    kinds = {str(module["type"]).rpartition(".")[2]: str(module["path"]) for module in modules}
    for kind in kinds:
        if kind not in _KNOWN:
            raise CannotLoad(f"modules.json has a {kind}; this host knows {', '.join(_KNOWN)}")
    mode = "mean"
    if "Pooling" in kinds:
        mode = _mode(_read(folder / Path(kinds["Pooling"]).name / "config.json"))
    limits = folder / "sentence_bert_config.json"
    most = int(_read(limits).get("max_seq_length") or 0) if limits.is_file() else 0
    return Pooling(mode, "Normalize" in kinds, most)


def _mode(config: dict[str, Any]) -> str:
    asked = config.get("pooling_mode")
    modes = [asked] if isinstance(asked, str) else [m for m in config if config[m] is True]
    wanted = [_MODES.get(mode, mode) for mode in modes if mode != "include_prompt"]
    if len(wanted) != 1 or wanted[0] not in _MODES.values():
        known = ", ".join(_MODES.values())
        raise CannotLoad(f"it is pooled by {' and '.join(wanted) or 'nothing'}; known are {known}")
    return str(wanted[0])


def _read(path: Path) -> Any:
    return json.loads(path.read_text())
