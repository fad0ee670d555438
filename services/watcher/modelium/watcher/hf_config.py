"""What Modelium reads of a model's `config.json` and tokenizer files; pure.

The names are those of the transformers library, which is never imported: nothing in a model's
folder is run. What the sizes mean for memory is `hf_sizes.py`.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from modelium.common.descriptor import Task
from modelium.common.errors import InvalidModel
from modelium.watcher.hf_sizes import Sizes


class Config(BaseModel):
    """A model's `config.json`; one of several parts keeps the sizes in `text_config`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    architectures: tuple[str, ...] | None = None
    auto_map: dict[str, Any] | None = None
    text_config: Sizes | None = None
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


class TokenizerConfig(BaseModel):
    """What of `tokenizer_config.json` matters here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    chat_template: Any = None
    auto_map: dict[str, Any] | None = None


def parse_config(text: bytes) -> tuple[Config, Sizes]:
    """Read a `config.json`.

    Raises:
        InvalidModel: it names no architecture, wants to run code of its own, or has wrong values.
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
    if config.auto_map:
        raise InvalidModel(_own_code("config.json"))
    if not config.architectures:
        raise InvalidModel("config.json names no architecture (`architectures` is empty)")
    return config, sizes


def has_chat_template(tokenizer_config: bytes | None, *, in_own_file: bool) -> bool:
    """Whether the tokenizer knows how a chat is written.

    Raises:
        InvalidModel: the tokenizer wants to run code of its own, or its file has wrong values.
    """
    if tokenizer_config is None:
        return in_own_file
    try:
        config = TokenizerConfig.model_validate_json(tokenizer_config)
    except ValidationError:
        raise InvalidModel("tokenizer_config.json cannot be understood") from None
    if config.auto_map:
        raise InvalidModel(_own_code("tokenizer_config.json"))
    return in_own_file or bool(config.chat_template)


def _own_code(file: str) -> str:
    return f"{file} asks to run code of its own (auto_map), which Modelium never does"


def task_of(architecture: str, *, chat: bool, labels: int = 2) -> Task:
    """What the architecture is for, by the ending that transformers gives to each task.

    A classifier with one label scores a pair of texts: it ranks.
    """
    if architecture.endswith("ForCausalLM"):
        return Task.CHAT if chat else Task.COMPLETION
    if architecture.endswith("ForSequenceClassification"):
        return Task.RERANK if labels == 1 else Task.CLASSIFY
    if architecture.endswith("ForImageClassification"):
        return Task.VISION
    return Task.UNKNOWN
