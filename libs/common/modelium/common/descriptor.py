"""What the analysis of a model's files found; pure and frozen."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import Field

from modelium.common.frozen import Frozen


class RuntimeKind(StrEnum):
    """What kind of engine serves a model."""

    VLLM = "vllm"
    RAY_SERVE = "ray_serve"


class Task(StrEnum):
    """What a model does for a caller."""

    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    CLASSIFY = "classify"
    RERANK = "rerank"
    """One score for a pair of texts."""
    TOKEN_CLASSIFY = "token_classify"
    """Labels, or a reward, for each token of a text."""
    TRANSCRIPTION = "transcription"
    SPEECH = "speech"
    IMAGE = "image"
    VISION = "vision"
    """An image in, labels out."""
    TENSOR = "tensor"
    """Arrays in, arrays out."""
    UNKNOWN = "unknown"


POOLING_TASKS: Final = frozenset({Task.EMBEDDING, Task.CLASSIFY, Task.RERANK, Task.TOKEN_CLASSIFY})
"""Their engines answer with vectors or scores; asleep they keep most of their memory."""


class TensorSpec(Frozen):
    """One input or output of a model that takes arrays."""

    name: str
    datatype: str = Field(
        description="as the Open Inference Protocol calls it: FP32, INT64, BYTES; "
        "empty: the files say neither it nor the shape"
    )
    shape: tuple[int, ...] = Field(default=(), description="-1: any length")


class Overrides(Frozen):
    """What a person has written beside a model's files, in its `model.yaml`; None: nothing."""

    name: str | None = Field(default=None, description="the served name")
    aliases: tuple[str, ...] = Field(default=(), description="further names it is served under")
    task: Task | None = None
    runtime: RuntimeKind | None = None
    context: int | None = Field(default=None, ge=1, description="tokens, at most the model's own")
    pin: bool | None = Field(default=None, description="it is kept loaded")
    replicas: int | None = Field(
        default=None, ge=1, description="its engines at most, within the policy's bound"
    )
    engine_args: tuple[str, ...] = Field(default=(), description="for its engine's command line")


class PlannedSettings(Frozen):
    """What a deployment plan may say of an engine: all of it is harmless whatever it says."""

    max_num_seqs: int | None = Field(
        default=None, ge=1, le=64, description="requests it runs at once; null: as for all engines"
    )
    prefix_cache: bool = Field(
        default=True, description="false: it does not keep what it has read for later requests"
    )


class Descriptor(Frozen):
    """What the analysis of a model's files found."""

    format: str = Field(
        description="huggingface, safetensors, gguf, onnx, torchscript, pt2 or lora"
    )
    architecture: str = Field(description="for example Qwen2ForCausalLM")
    task: Task
    runtime: RuntimeKind
    runtime_reason: str = Field(default="", description="why this runtime serves it, for people")
    framework: str = Field(default="", description="what wrote it: transformers, torch, onnx …")
    dtype: str = Field(default="", description="of the stored weights, for example BF16")
    quantization: str = Field(default="", description="for example awq, fp8, Q4_K_M; empty: none")
    parameters: int = Field(default=0, ge=0)
    weight_bytes: int = Field(default=0, ge=0)
    weight_bytes_by_dtype: Mapping[str, int] = Field(default_factory=dict)
    context_length: int = Field(default=0, ge=0, description="tokens")
    kv_bytes_per_token: int = Field(default=0, ge=0, description="at 2 bytes per element")
    windowed_kv_bytes_per_token: int = Field(
        default=0, ge=0, description="the part of it in layers that see only `window_tokens`"
    )
    window_tokens: int = Field(default=0, ge=0, description="0: all layers see everything")
    attention_heads: int = Field(default=0, ge=0, description="0: not known")
    kv_heads: int = Field(default=0, ge=0, description="0: not known")
    keeps_no_cache: bool = Field(
        default=False, description="an encoder, which sees a whole text at once"
    )
    beyond_vllm: str = Field(
        default="", description="what of it vLLM would not compute as it was meant; empty: nothing"
    )
    has_chat_template: bool = False
    inputs: tuple[TensorSpec, ...] = Field(
        default=(), description="of a model that takes arrays; empty: its files do not say"
    )
    outputs: tuple[TensorSpec, ...] = ()
    file: str = Field(
        default="", description="which file of its folder is loaded; empty: its path itself"
    )
    base_model: str = Field(default="", description="what an adapter was trained for")
    base_path: str = Field(default="", description="where the base model of an adapter lies")
    adapter_rank: int = Field(default=0, ge=0, description="of a LoRA adapter")
    missing: tuple[str, ...] = Field(
        default=(), description="what it lacks that would make it more useful, for people"
    )
    content_fingerprint: str = Field(
        default="", description="the same for the same content anywhere; empty: not known"
    )
    overrides: Overrides | None = None

    @property
    def wanted_context_length(self) -> int:
        """The tokens that it is to be served with: what a person has written, else its own."""
        written = self.overrides.context if self.overrides else None
        return written or self.context_length
