"""What all models of transformers have in common: loaded from safetensors, without foreign code."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelium.model_host.errors import CannotLoad
from modelium.model_host.options import Options
from modelium.model_host.protocol.tensors import Array

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
"""Must be set before transformers is imported."""


def folder_of(options: Options) -> Path:
    """The folder with the model's `config.json`.

    Raises:
        CannotLoad: there is none.
    """
    os.environ.update(OFFLINE)
    folder = options.path if options.path.is_dir() else options.path.parent
    if not (folder / "config.json").is_file():
        text = f"{options.path.name} has no config.json beside it"
        raise CannotLoad(f"{text}, which tells how to build the model of its weights")
    return folder


def weights(
    auto: Any, folder: Path, device: torch.device, *, unused: Callable[[str], bool] | None = None
) -> Any:
    """A model of transformers in evaluation mode.

    `unused`: whether a weight may be missing, since nothing that is served depends on it.

    Raises:
        CannotLoad: weights are missing; transformers would make them up.
    """
    dtype = torch.float32 if device.type == "cpu" else "auto"
    model, report = auto.from_pretrained(
        folder,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    missing = sorted(str(name) for name in report["missing_keys"] if not unused or not unused(name))
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise CannotLoad(f"weights are missing: {', '.join(missing[:3])}{more}")
    return model.to(device).eval()


def labels_of(config: Any) -> list[str]:
    """What its classes are called, in the order of its scores."""
    names = {int(at): str(name) for at, name in (config.id2label or {}).items()}
    return [names.get(at, f"LABEL_{at}") for at in range(config.num_labels)]


def scores(logits: torch.Tensor, config: Any) -> torch.Tensor:
    """Probabilities as transformers' pipelines make them; a regression's value stays as it is."""
    kind = config.problem_type
    if kind == "regression":
        return logits
    if kind == "multi_label_classification" or config.num_labels == 1:
        return logits.sigmoid()
    return logits.softmax(-1)


def classified(logits: torch.Tensor, config: Any, labels: Sequence[str]) -> dict[str, Array]:
    """The outputs of a classifier."""
    logits = logits.float()
    found = scores(logits, config).cpu().numpy()
    best = np.empty(len(found), object)
    best[:] = [labels[at].encode() for at in found.argmax(-1)]
    return {"logits": logits.cpu().numpy(), "probabilities": found, "label": best}
