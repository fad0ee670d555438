"""How much key-value cache a token of a model takes, by its `config.json`; pure.

Layers differ: some see all tokens, some only a window of the last ones, some keep a state of fixed
size and no cache. What the file leaves to the transformers library is known here for few models;
where it is not, a layer is taken to see everything: too much is reserved rather than too little.
"""

from typing import Annotated, Any, Final

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

BYTES_PER_ELEMENT: Final = 2
MOST_LAYERS: Final = 100_000
"""They are looked at one by one."""
LARGEST: Final = 1 << 40
"""Of other sizes: far above any model, and not too large to reckon with."""
FULL: Final = "full_attention"
WINDOWED: Final = "sliding_attention"
LINEAR: Final = "linear_attention"
WITHOUT_CACHE: Final = frozenset({LINEAR, "mamba", "conv", "recurrent"})

_PERIODS: Final = {"gemma2": 2, "gemma3_text": 6}
"""By `model_type`: every so many layers one sees everything, where the file does not say."""
_ALL_WINDOWED: Final = frozenset({"mistral"})


def _or_none(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    """A model is not turned down for a hint that is written in another way."""
    try:
        return parse(value)
    except ValidationError:
        return None


_Number = Annotated[Annotated[int, Field(ge=0, le=LARGEST)] | None, WrapValidator(_or_none)]
_Flag = Annotated[bool | None, WrapValidator(_or_none)]
_Names = Annotated[tuple[str, ...] | None, WrapValidator(_or_none)]
_Name = Annotated[str | None, WrapValidator(_or_none)]


class Sizes(BaseModel):
    """The numbers that decide how much memory serving takes."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model_type: _Name = None
    context_length: int = Field(
        default=0,
        ge=0,
        le=LARGEST,
        validation_alias=AliasChoices(
            "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_target_positions"
        ),
    )
    layers: int = Field(
        default=0,
        ge=0,
        le=MOST_LAYERS,
        validation_alias=AliasChoices("num_hidden_layers", "n_layer", "n_layers"),
    )
    heads: int = Field(
        default=0,
        ge=0,
        le=LARGEST,
        validation_alias=AliasChoices("num_attention_heads", "n_head", "n_heads"),
    )
    kv_heads: int | None = Field(
        default=None,
        ge=0,
        le=LARGEST,
        validation_alias=AliasChoices("num_key_value_heads", "num_kv_heads", "n_head_kv"),
    )
    multi_query: _Flag = None
    new_decoder_architecture: _Flag = None
    """Falcon's second design, in which `multi_query` no longer means one head."""
    hidden_size: int = Field(
        default=0,
        ge=0,
        le=LARGEST,
        validation_alias=AliasChoices("hidden_size", "n_embd", "d_model"),
    )
    head_dim: int | None = Field(default=None, ge=0, le=LARGEST)
    v_head_dim: _Number = None
    kv_lora_rank: _Number = None
    qk_rope_head_dim: _Number = None
    sliding_window: _Number = None
    use_sliding_window: _Flag = None
    """Qwen2 names a window that it does not use."""
    layer_types: _Names = None
    sliding_window_pattern: _Number = None
    full_attention_interval: _Number = None

    @property
    def kv_bytes_per_token(self) -> int:
        """Of all layers, each seeing everything it may; 0 where the sizes are unknown."""
        cached = [kind for kind in self._kinds() if kind not in WITHOUT_CACHE]
        return len(cached) * self._layer_bytes()

    @property
    def windowed_kv_bytes_per_token(self) -> int:
        """The part of `kv_bytes_per_token` of layers that see only the last `window_tokens`."""
        return self._kinds().count(WINDOWED) * self._layer_bytes() if self.window_tokens else 0

    @property
    def window_tokens(self) -> int:
        """How far layers with a window see; 0: the model has no such layers."""
        return (self.sliding_window or 0) if WINDOWED in self._kinds() else 0

    def _layer_bytes(self) -> int:
        """Keys and values of one token in one layer; with MLA the latent that both come from."""
        if self.kv_lora_rank:
            return (self.kv_lora_rank + (self.qk_rope_head_dim or 0)) * BYTES_PER_ELEMENT
        keys = self.head_dim or (self.hidden_size // self.heads if self.heads else 0)
        values = self.v_head_dim or keys
        return self.key_value_heads * (keys + values) * BYTES_PER_ELEMENT

    @property
    def key_value_heads(self) -> int:
        """As many as heads, unless several heads share one."""
        if self.multi_query and not self.new_decoder_architecture:
            return 1
        return self.heads if self.kv_heads is None else self.kv_heads

    def _kinds(self) -> tuple[str, ...]:
        """What each layer sees, in their order."""
        if self.layer_types is not None and len(self.layer_types) == self.layers:
            return self.layer_types
        if self.full_attention_interval:
            return self._every(self.full_attention_interval, LINEAR)
        if not self.sliding_window or self.use_sliding_window is False:
            return (FULL,) * self.layers
        if self.model_type in _ALL_WINDOWED:
            return (WINDOWED,) * self.layers
        known = _PERIODS.get(self.model_type or "", 1)
        return self._every(self.sliding_window_pattern or known, WINDOWED)

    def _every(self, period: int, others: str) -> tuple[str, ...]:
        """The last of every `period` layers sees everything."""
        return tuple(FULL if n % period == 0 else others for n in range(1, self.layers + 1))
