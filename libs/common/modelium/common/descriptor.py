"""What the analysis of a model's files found; pure and frozen."""

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
    TRANSCRIPTION = "transcription"
    SPEECH = "speech"
    IMAGE = "image"
    TENSOR = "tensor"
    """Arrays in, arrays out."""
    UNKNOWN = "unknown"


POOLING_TASKS: Final = frozenset({Task.EMBEDDING, Task.CLASSIFY, Task.RERANK})
"""Their engines answer with vectors or scores; asleep they keep most of their memory."""


class Descriptor(Frozen):
    """What the analysis of a model's files found."""

    format: str = Field(description="huggingface, gguf, onnx, torchscript …")
    architecture: str = Field(description="for example Qwen2ForCausalLM")
    task: Task
    runtime: RuntimeKind
    dtype: str = Field(default="", description="of the stored weights, for example BF16")
    parameters: int = Field(default=0, ge=0)
    weight_bytes: int = Field(default=0, ge=0)
    context_length: int = Field(default=0, ge=0, description="tokens")
    kv_bytes_per_token: int = Field(default=0, ge=0, description="at 2 bytes per element")
    windowed_kv_bytes_per_token: int = Field(
        default=0, ge=0, description="the part of it in layers that see only `window_tokens`"
    )
    window_tokens: int = Field(default=0, ge=0, description="0: all layers see everything")
    attention_heads: int = Field(default=0, ge=0, description="0: not known")
    kv_heads: int = Field(default=0, ge=0, description="0: not known")
    has_chat_template: bool = False
