"""Which runtime serves a model, and why; or what it lacks for all, and what would serve it. Pure.

What a model is, is one thing, and decides here for good; whether that runtime is enabled and there
is a device for it can change at any time, and is asked again for each decision (`obstacle`).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.common.records import DeviceKind
from modelium.common.settings import RayServe, Vllm

NAMES: Final[Mapping[RuntimeKind, str]] = {
    RuntimeKind.VLLM: "vLLM",
    RuntimeKind.RAY_SERVE: "the model host (ray_serve)",
}
_READ_BY_VLLM: Final = frozenset({"huggingface", "lora"})
_NOT_OF_VLLM: Final = frozenset({Task.VISION, Task.TENSOR, Task.SPEECH, Task.IMAGE})
_PROGRAMS: Final = frozenset({"torchscript", "pt2", "onnx"})
_PIPELINES: Final = frozenset({Task.VISION, Task.CLASSIFY, Task.EMBEDDING})
"""What the model host does with a transformers folder."""
_GPU_ONLY: Final = frozenset({"bitsandbytes", "fbgemm_fp8", "fp_quant"})
"""Quantisations for which vLLM has no code on a CPU."""


def enabled_runtimes(vllm: Vllm, ray_serve: RayServe) -> frozenset[RuntimeKind]:
    """Those that the settings allow."""
    switches = {RuntimeKind.VLLM: vllm.enabled, RuntimeKind.RAY_SERVE: ray_serve.enabled}
    return frozenset(kind for kind, on in switches.items() if on)


@dataclass(frozen=True, slots=True)
class Choice:
    """The runtime that serves a model, or None; and why, for people."""

    runtime: RuntimeKind | None
    reason: str


def choose(descriptor: Descriptor, enabled: Collection[RuntimeKind]) -> Choice:
    """The first runtime that can serve it, an enabled one before one that is not.

    What a person has chosen for the model is taken, or refused; never replaced by another.
    """
    lacks = {kind: check(descriptor) for kind, check in _CHECKS.items()}
    wanted = descriptor.overrides.runtime if descriptor.overrides else None
    if wanted is not None:
        if lacks[wanted]:
            return Choice(None, f"its own file asks for {NAMES[wanted]}, but {lacks[wanted]}")
        return Choice(wanted, f"its own file asks for {NAMES[wanted]}")
    able = [kind for kind, lack in lacks.items() if not lack]
    for kind in sorted(able, key=lambda kind: kind not in enabled):
        reason = f"{NAMES[kind]} serves {_what(descriptor)}"
        return Choice(kind, reason if kind in enabled else f"{reason}, but is not enabled")
    because = "; ".join(dict.fromkeys(lacks.values()))
    return Choice(None, f"nothing here serves it: {because}. {_remedy(descriptor)}")


def able(descriptor: Descriptor) -> tuple[RuntimeKind, ...]:
    """All that can serve it, enabled or not; what a person has chosen for it is the only one."""
    wanted = descriptor.overrides.runtime if descriptor.overrides else None
    kinds = tuple(kind for kind, check in _CHECKS.items() if not check(descriptor))
    return kinds if wanted is None else tuple(kind for kind in kinds if kind is wanted)


def obstacle(
    descriptor: Descriptor, enabled: Collection[RuntimeKind], kinds: Collection[DeviceKind]
) -> str:
    """Why it cannot be loaded now, whatever is free; empty when it can.

    `kinds` are those of the devices there are; none: nobody knows, and nothing is said of them.
    """
    runtime = descriptor.runtime
    if runtime not in enabled:
        setting = f"set {runtime.value}.enabled"
        return f"its runtime, {runtime.value}, is not enabled: {setting}"
    method = descriptor.quantization.partition(" ")[0]
    if method in _GPU_ONLY and kinds and DeviceKind.CUDA not in kinds:
        return f"its {method} weights need a GPU, and there is none"
    return ""


def _vllm(descriptor: Descriptor) -> str:
    if descriptor.format not in _READ_BY_VLLM:
        return f"vLLM as it is here does not read {descriptor.format}"
    if descriptor.task in _NOT_OF_VLLM:
        return f"vLLM has no models for {descriptor.task.value}"
    if descriptor.beyond_vllm:
        return f"vLLM does not compute {descriptor.beyond_vllm}"
    return ""


def _model_host(descriptor: Descriptor) -> str:
    if descriptor.format in _PROGRAMS:
        return ""
    if descriptor.format != "huggingface":
        return f"the model host does not run {descriptor.format}"
    if descriptor.task not in _PIPELINES:
        return "the model host classifies and embeds, it does not generate text"
    return ""


_CHECKS: Final[Mapping[RuntimeKind, Callable[[Descriptor], str]]] = {
    RuntimeKind.VLLM: _vllm,
    RuntimeKind.RAY_SERVE: _model_host,
}
"""What each lacks for a model, empty if nothing, in the order in which they are taken."""

_REMEDIES: Final[Mapping[str, str]] = {
    "gguf": "Drop the same model as a Hugging Face folder (config.json, tokenizer, safetensors), "
    "which vLLM serves; the GGUF itself would be served by llama.cpp.",
    "safetensors": "Weights alone do not say what computes with them: the model needs a folder of "
    "its own with config.json and, for text, a tokenizer.",
}


def _remedy(descriptor: Descriptor) -> str:
    other = f"A runtime for {descriptor.task.value} would have to be there."
    return _REMEDIES.get(descriptor.format, other)


def _what(descriptor: Descriptor) -> str:
    """The kind of model, for people."""
    if descriptor.format in _PROGRAMS:
        return f"{descriptor.format} programs"
    kind = "LoRA adapters" if descriptor.format == "lora" else "transformers models"
    return kind if descriptor.task is Task.UNKNOWN else f"{kind} for {descriptor.task.value}"
