"""LoRA adapters as PEFT writes them: a few weights that change those of a base model.

What the base model is, and whether it is here, is for `handlers.py`: it lies elsewhere.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.common.errors import Incomplete, InvalidModel
from modelium.watcher.formats.files import Files
from modelium.watcher.formats.safetensors_header import weights_of
from modelium.watcher.loaded import ADAPTER as CONFIG

_WEIGHTS: Final = "adapter_model.safetensors"
_PICKLED: Final = "adapter_model.bin"
_TASKS: Final = {
    "CAUSAL_LM": Task.COMPLETION,
    "SEQ_CLS": Task.CLASSIFY,
    "FEATURE_EXTRACTION": Task.EMBEDDING,
}


class _Config(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    peft_type: str = ""
    task_type: str | None = None
    base_model_name_or_path: str | None = None
    r: int = 0
    use_dora: bool = False
    modules_to_save: list[str] | None = None
    bias: str = "none"


def describe(files: Files) -> Descriptor:
    """What it was trained for, and how large it is.

    Raises:
        InvalidModel: it is not whole, or of a kind that no engine here adds to a model.
    """
    config = _config(files)
    _require_servable(config)
    if _WEIGHTS not in files and _PICKLED in files:
        raise InvalidModel(f"its weights are pickled ({_PICKLED}): save them as safetensors")
    weights = weights_of(files, [_WEIGHTS])
    return Descriptor(
        format="lora",
        framework="peft",
        architecture="",
        task=_TASKS.get(config.task_type or "", Task.UNKNOWN),
        runtime=RuntimeKind.VLLM,
        dtype=weights.dtype,
        parameters=weights.parameters(),
        weight_bytes=files.sizes[_WEIGHTS],
        weight_bytes_by_dtype=weights.bytes_by_dtype,
        base_model=config.base_model_name_or_path or "",
        adapter_rank=config.r,
    )


def _config(files: Files) -> _Config:
    try:
        return _Config.model_validate(files.json(CONFIG))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise InvalidModel(f"{CONFIG}: {where}: {problem['msg']}") from None


def _require_servable(config: _Config) -> None:
    if config.peft_type != "LORA":
        raise InvalidModel(f"it is an adapter of kind {config.peft_type or 'unknown'}, not LORA")
    if not config.base_model_name_or_path:
        raise Incomplete(f"{CONFIG} names no base model (`base_model_name_or_path` is empty)")
    if not 0 < config.r <= 512:
        raise InvalidModel(f"{CONFIG}: r: a rank from 1 to 512 is expected, not {config.r}")
    for is_there, what in (
        (config.use_dora, "DoRA (`use_dora`)"),
        (config.modules_to_save, "whole modules (`modules_to_save`)"),
        (config.bias != "none", "biases (`bias`)"),
    ):
        if is_there:
            raise InvalidModel(
                f"the adapter has {what}, which vLLM does not add to a running model: "
                "merge it into its base model (PEFT: merge_and_unload) and drop the result"
            )
