"""What a folder of the sentence-transformers library says of itself; nothing is run.

`modules.json` names the steps from a text to its vector, each with a folder of its own. vLLM reads
the same files, takes what it knows and leaves out the rest without a word: so a step it does not
compute, or computes in another way, is found here, lest its vectors be wrong.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from modelium.common.errors import Incomplete, InvalidModel
from modelium.watcher.formats.files import Files

MODULES: Final = "modules.json"

_SETTINGS: Final = tuple(
    f"sentence_{kind}_config.json"
    for kind in (
        *("bert", "roberta", "distilbert", "camembert"),
        *("albert", "xlm-roberta", "xlnet"),
    )
)
"""In this order, as the library's early versions named it for each kind of model."""
_CONFIGURED: Final = frozenset({"Pooling", "Dense"})
_HARMLESS: Final = frozenset({"Normalize", "Dropout"})
_POOLED: Final = frozenset({"cls", "mean", "lasttoken"})
"""How vLLM makes one vector of those of all tokens; it has no maximum and no weighted mean."""
_OLD_MODES: Final = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_NOT_SERVED: Final = {
    "SpladePooling": "a sparse encoder: a dense one is served",
    "StaticEmbedding": "a table of vectors: a transformer is served",
    "LogitScore": "a language model that is asked for a word: the same model saved as "
    "ForSequenceClassification with one label is served",
}
_ACTIVATIONS: Final = frozenset({"identity", "tanh", "gelu", "relu", "silu", "sigmoid"})

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class SentenceModel:
    """What the files say."""

    embeds: bool
    """It makes vectors; if not, its architecture tells what it does."""
    max_tokens: int = 0
    """What it reads of a text at most; 0: the architecture's own limit."""
    beyond_vllm: str = ""
    """What vLLM would compute in another way, for people; empty: nothing."""


class _Module(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str
    path: str = ""

    @property
    def kind(self) -> str:
        return self.type.rpartition(".")[2]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    max_seq_length: int | None = Field(default=None, ge=0)


class _Pooling(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    pooling_mode: str | tuple[str, ...] | None = None

    @property
    def modes(self) -> tuple[str, ...]:
        """Several are set side by side in one longer vector."""
        if self.pooling_mode is None:
            more: dict[str, Any] = self.model_extra or {}
            return tuple(mode for name, mode in _OLD_MODES.items() if more.get(name) is True)
        return (self.pooling_mode,) if isinstance(self.pooling_mode, str) else self.pooling_mode


class _Dense(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    activation_function: str | None = None

    @property
    def activation(self) -> str:
        return (self.activation_function or "identity").rpartition(".")[2].lower()


_MODULES_FILE: Final = TypeAdapter(tuple[_Module, ...])


def read_sentence_model(files: Files) -> SentenceModel | None:
    """None: it is no folder of this library.

    Raises:
        InvalidModel: a file of it is wrong or missing, or no engine serves such a model.
    """
    if MODULES not in files:
        return None
    modules = _modules(files.read(MODULES))
    _require_servable(modules)
    embeds = any(module.kind == "Pooling" for module in modules)
    return SentenceModel(embeds, _max_tokens(files), _beyond_vllm(modules, files))


def _modules(text: bytes) -> tuple[_Module, ...]:
    try:
        return _MODULES_FILE.validate_json(text)
    except ValidationError:
        raise Incomplete(f"{MODULES} is no list of modules with a type each") from None


def _require_servable(modules: tuple[_Module, ...]) -> None:
    for module in modules:
        if not module.type.startswith("sentence_transformers."):
            raise InvalidModel(
                f"{MODULES} asks to run code that is no part of sentence-transformers "
                f"({module.type}), which Modelium never does"
            )
        if module.kind in _NOT_SERVED:
            raise InvalidModel(f"{MODULES} names {module.kind}, {_NOT_SERVED[module.kind]}")
    kinds = [module.kind for module in modules]
    if "Transformer" not in kinds:
        raise InvalidModel(f"{MODULES} names no Transformer, but {', '.join(kinds) or 'nothing'}")


def _max_tokens(files: Files) -> int:
    for name in _SETTINGS:
        if name in files:
            return _parse(_Settings, name, files.read(name)).max_seq_length or 0
    return 0


def _beyond_vllm(modules: tuple[_Module, ...], files: Files) -> str:
    """The first of its steps that vLLM has not."""
    steps = [module for module in modules if module.kind not in _HARMLESS]
    order = [module.kind for module in steps]
    pooled = ["Transformer", "Pooling", *["Dense"] * (len(order) - 2)]
    if order != (pooled if "Pooling" in order else ["Transformer"]):
        return f"the steps {' → '.join(order)}"
    denses = [_dense(module, files) for module in steps[2:]]
    return next(filter(None, [*(_pooling(module, files) for module in steps[1:2]), *denses]), "")


def _pooling(module: _Module, files: Files) -> str:
    modes = _parse(_Pooling, *_config(module, files)).modes
    one_known = len(modes) == 1 and modes[0] in _POOLED
    return "" if one_known else f"pooling by {' and '.join(modes) or 'nothing'}"


def _dense(module: _Module, files: Files) -> str:
    activation = _parse(_Dense, *_config(module, files)).activation
    weights = f"{module.path}/model.safetensors"
    if weights not in files:
        raise Incomplete(f"{weights} is missing; weights are read from safetensors only")
    return "" if activation in _ACTIVATIONS else f"a dense layer with {activation}"


def _config(module: _Module, files: Files) -> tuple[str, bytes]:
    name = f"{module.path}/config.json"
    if name not in files:
        raise Incomplete(f"{name} is missing, which {MODULES} names")
    return name, files.read(name)


def _parse(model: type[_Model], name: str, text: bytes) -> _Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise InvalidModel(f"{name}: {where + ': ' if where else ''}{problem['msg']}") from None
