"""Loads a language model and its tokenizer, without foreign code."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers

from modelium.local_llm.errors import CannotLoad, first_line
from modelium.local_llm.finding import folder_of

BFLOAT16: Final = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Flags of processors that compute in bfloat16; others are slower at it than at float32."""

FEW_PARAMETERS: Final = 50_000_000
"""With fewer, threads wait for each other longer than they compute."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that can be asked."""

    model: Any
    tokenizer: Any
    device: str

    @property
    def parameters(self) -> int:
        """How many it has."""
        return sum(tensor.numel() for tensor in self.model.parameters())

    @property
    def size_bytes(self) -> int:
        """Of its weights in memory."""
        return sum(t.numel() * t.element_size() for t in self.model.parameters())


def load(name: str, device: str = "auto") -> Loaded:
    """Read the files and put the model on its device; takes seconds and blocks.

    `name` is a folder or a name on the hub, `device` auto or what torch calls it.

    Raises:
        CannotLoad: with the reason, on one line.
    """
    folder = folder_of(name)
    on = device_of(device)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        model = _weights(folder, on)
    except (OSError, ValueError, RuntimeError, KeyError) as wrong:
        raise CannotLoad(f"{folder} cannot be loaded: {first_line(wrong)}") from wrong
    loaded = Loaded(model, tokenizer, str(on))
    if loaded.parameters < FEW_PARAMETERS:
        torch.set_num_threads(1)
    return loaded


def device_of(name: str) -> torch.device:
    """The device of that name; auto: a GPU if there is one.

    Raises:
        CannotLoad: there is none of that name.
    """
    found = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if found else "cpu")
    device = torch.device(name)
    count = torch.cuda.device_count() if found else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise CannotLoad(f"modelium_brain.device is {name}, and torch finds {count} GPUs")
    return device


def _weights(folder: Path, device: torch.device) -> Any:
    dtype = "auto" if device.type != "cpu" or _computes_bfloat16() else torch.float32
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    missing = sorted(map(str, report["missing_keys"]))
    if missing:
        # Transformers would make them up.
        raise CannotLoad(f"{folder} lacks weights: {', '.join(missing[:3])}")
    return model.to(device).eval()


def _computes_bfloat16() -> bool:
    if not os.access("/proc/cpuinfo", os.R_OK):
        return False
    return bool(BFLOAT16 & set(Path("/proc/cpuinfo").read_text(errors="replace").split()))
