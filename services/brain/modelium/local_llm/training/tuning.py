"""Which weights of a model are trained: small ones beside its own where peft is there, else all."""

from importlib.util import find_spec
from typing import Any, Final

RANK: Final = 16
LORA: Final = "lora"
FULL: Final = "full"


def trainable(model: Any, *, scratch: bool) -> tuple[Any, str]:
    """The model to train, and how: `lora` or `full`."""
    if scratch or find_spec("peft") is None:
        return model, FULL
    import peft

    config = peft.LoraConfig(
        task_type="CAUSAL_LM", r=RANK, lora_alpha=2 * RANK, target_modules="all-linear"
    )
    return peft.get_peft_model(model, config), LORA


def whole(model: Any, how: str) -> Any:
    """The model as others load it, without peft."""
    return model.merge_and_unload() if how == LORA else model
