"""What Modelium reads of a model's `config.json` and tokenizer files; pure.

The names are those of the transformers library, which is never imported: nothing in a model's
folder is run, and `safety/own_code.py` refuses what asks for it. What the sizes mean for memory is
`hf_sizes.py`.
"""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from modelium.common.errors import InvalidModel
from modelium.watcher.hf_sizes import Sizes

_ENDLESS_TOKENS: Final = 1 << 40
"""Transformers writes 10³⁰ where a tokenizer has no limit."""


class Config(BaseModel):
    """A model's `config.json`; one of several parts keeps the sizes in `text_config`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    architectures: tuple[str, ...] | None = None
    text_config: Sizes | None = None
    vision_config: Any = None
    audio_config: Any = None
    pad_token_id: Any = None
    id2label: dict[str, Any] | None = None
    num_labels: int | None = None
    quantization_config: dict[str, Any] | None = None
    num_channels: int = 3
    image_size: Any = None

    @property
    def labels(self) -> int:
        """Into how many classes a classifier sorts; transformers' own default is two."""
        return len(self.id2label) if self.id2label else self.num_labels or 2

    @property
    def quantization(self) -> str:
        """The method, and the bits of a weight where it says them; empty: not quantised."""
        method = str((self.quantization_config or {}).get("quant_method", ""))
        return f"{method} {self.quantized_bits}-bit" if self.quantized_bits else method

    @property
    def quantized_bits(self) -> int:
        """Of a weight; 0: not said."""
        said = self.quantization_config or {}
        if said.get("load_in_4bit") is True:
            return 4
        bits = said.get("bits", said.get("w_bit"))
        return bits if isinstance(bits, int) and 0 < bits <= 16 else 0

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of an image; -1: any."""
        size = self.image_size
        if isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) for n in size):
            return (size[0], size[1])
        return (size, size) if isinstance(size, int) else (-1, -1)

    @property
    def has_parts(self) -> bool:
        """Whether it reads more than text, with a model for each."""
        return any((self.text_config, self.vision_config, self.audio_config))

    @property
    def padding(self) -> int | None:
        """The number of the token that fills up."""
        return self.pad_token_id if isinstance(self.pad_token_id, int) else None


class TokenizerConfig(BaseModel):
    """What of `tokenizer_config.json` matters here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    chat_template: Any = None
    model_max_length: Any = None
    tokenizer_class: Any = None


def parse_config(text: bytes) -> tuple[Config, Sizes]:
    """Read a `config.json`.

    Raises:
        InvalidModel: it names no architecture, or has wrong values.
    """
    try:
        config = Config.model_validate_json(text)
        sizes = config.text_config or Sizes.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise InvalidModel(
            f"config.json: {where + ': ' if where else ''}{problem['msg']}"
        ) from None
    if not config.architectures:
        raise InvalidModel("config.json names no architecture (`architectures` is empty)")
    return config, sizes


def has_chat_template(tokenizer_config: bytes | None, *, in_own_file: bool) -> bool:
    """Whether the tokenizer knows how a chat is written. Raises as `longest_text`."""
    return in_own_file or bool(_tokenizer(tokenizer_config).chat_template)


def longest_text(tokenizer_config: bytes | None) -> int:
    """The tokens of a text that the tokenizer allows; 0: it says none that means anything.

    Raises:
        InvalidModel: the tokenizer's file has wrong values.
    """
    longest = _tokenizer(tokenizer_config).model_max_length
    return longest if isinstance(longest, int) and 0 < longest < _ENDLESS_TOKENS else 0


def tokenizer_class(tokenizer_config: bytes | None) -> str:
    """Of transformers; empty: not said. Raises as `longest_text`."""
    return str(_tokenizer(tokenizer_config).tokenizer_class or "")


def _tokenizer(text: bytes | None) -> TokenizerConfig:
    if text is None:
        return TokenizerConfig()
    try:
        config = TokenizerConfig.model_validate_json(text)
    except ValidationError:
        raise InvalidModel("tokenizer_config.json cannot be understood") from None
    return config
