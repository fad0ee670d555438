"""Folders as transformers writes them: `config.json`, a tokenizer, safetensors.

What the JSON files mean is in `hf_config.py` and `hf_sizes.py`.
"""

from pathlib import PurePath
from shlex import quote
from typing import Final

from modelium.common.descriptor import POOLING_TASKS, Descriptor, RuntimeKind, Task, TensorSpec
from modelium.common.errors import Incomplete, InvalidModel
from modelium.watcher.formats.files import Files
from modelium.watcher.formats.foreign import require_none_alone
from modelium.watcher.formats.safetensors_header import weights_of
from modelium.watcher.hf_config import (
    Config,
    has_chat_template,
    longest_text,
    parse_config,
    tokenizer_class,
)
from modelium.watcher.hf_sizes import Sizes
from modelium.watcher.hf_tasks import first_position, keeps_no_cache, task_of
from modelium.watcher.listing import CONFIG
from modelium.watcher.loaded import PICKLES
from modelium.watcher.loaded import SAFETENSORS as WEIGHTS
from modelium.watcher.pooling import beyond_vllm, context_of
from modelium.watcher.sentence_transformers import SentenceModel, read_sentence_model
from modelium.watcher.tokenizers import PREPROCESSOR, TOKENIZER_MISSING, lacks_tokenizer

_INDEX: Final = ".safetensors.index.json"
_TOKENIZER: Final = "tokenizer_config.json"
_CHAT_TEMPLATES: Final = ("chat_template.jinja", "chat_template.json")
_HOSTED: Final = frozenset({Task.VISION})
"""Tasks that vLLM does not have."""


def describe(files: Files) -> Descriptor:
    """What `config.json`, the tokenizer's files and the weights' headers say.

    Raises:
        InvalidModel: it cannot be served; the reason says what is wrong or missing.
    """
    _require_no_deeper_folder(files)
    if CONFIG not in files:
        require_none_alone(files)
    config, sizes = parse_config(files.read(CONFIG))
    names = weight_files(files)
    weights = weights_of(files, names)
    tokenizer = files.read(_TOKENIZER) if _TOKENIZER in files else None
    chat = has_chat_template(tokenizer, in_own_file=any(name in files for name in _CHAT_TEMPLATES))
    sentences = read_sentence_model(files)
    architecture = (config.architectures or ("",))[0]
    task = _task(architecture, config, chat, sentences)
    if lacks_tokenizer(files.sizes, task, architecture, tokenizer_class(tokenizer)):
        raise Incomplete(TOKENIZER_MISSING)
    context = sizes.context_length
    if task in POOLING_TASKS:
        positions = max(0, context - first_position(architecture, config.padding))
        context = context_of(architecture, positions, longest_text(tokenizer), sentences)
    takes, gives = _signature(files, config, task)
    return Descriptor(
        format="huggingface",
        framework="transformers",
        architecture=architecture,
        task=task,
        runtime=RuntimeKind.RAY_SERVE if task in _HOSTED else RuntimeKind.VLLM,
        dtype=weights.dtype,
        quantization=config.quantization,
        parameters=weights.parameters(config.quantized_bits),
        weight_bytes=sum(files.sizes[name] for name in names),
        weight_bytes_by_dtype=weights.bytes_by_dtype,
        context_length=context,
        **_cache(architecture, sizes),
        beyond_vllm=beyond_vllm(architecture, task, sentences),
        attention_heads=sizes.heads,
        kv_heads=sizes.key_value_heads,
        has_chat_template=chat,
        inputs=takes,
        outputs=gives,
    )


def _task(architecture: str, config: Config, chat: bool, sentences: SentenceModel | None) -> Task:
    if sentences is not None and sentences.embeds:
        return Task.EMBEDDING
    return task_of(architecture, chat=chat, labels=config.labels, parts=config.has_parts)


def _cache(architecture: str, sizes: Sizes) -> dict[str, int | bool]:
    """What it keeps of each token, as the descriptor calls it."""
    if keeps_no_cache(architecture):
        return {"keeps_no_cache": True}
    return {
        "kv_bytes_per_token": sizes.kv_bytes_per_token,
        "windowed_kv_bytes_per_token": sizes.windowed_kv_bytes_per_token,
        "window_tokens": sizes.window_tokens,
    }


def weight_files(files: Files) -> list[str]:
    """The weights that are loaded: those the index names, else all that lie in the folder itself.

    Engines look for them by an ending in small letters.

    Raises:
        InvalidModel: there are none, or the index names one that is not there.
    """
    top = [name for name in files.top(WEIGHTS) if name.endswith(WEIGHTS)]
    shards = {shard for index in files.top(_INDEX) for shard in _shards(files, index)}
    absent = sorted(shards - set(top))
    if absent:
        raise Incomplete(
            f"{absent[0]} is missing ({len(absent)} of {len(shards)} weight files): copy it as well"
        )
    found = sorted(shards) or top
    if not found:
        require_none_alone(files)
        raise Incomplete(_no_weights(files))
    return found


def _shards(files: Files, index: str) -> set[str]:
    try:
        return {str(shard) for shard in files.json(index)["weight_map"].values()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Incomplete(f"{index} is no list of weight files") from None


def _no_weights(files: Files) -> str:
    pickled = files.top(*PICKLES)
    if not pickled:
        return f"it has no weight file ({WEIGHTS})"
    return (
        f"its weights are pickled ({pickled[0]}), and a pickle runs code when it is loaded: "
        "save them as safetensors (transformers: save_pretrained)"
    )


def _require_no_deeper_folder(files: Files) -> None:
    """As in `org/model`, which is how models are called where they come from."""
    configs = [PurePath(name) for name in files.sizes if PurePath(name).name == CONFIG]
    if configs and PurePath(CONFIG) not in configs:
        folder = PurePath(files.candidate.path)
        if any(name.startswith("blobs/") for name in files.sizes):
            _refuse_cache(folder, configs[0].parent)
        raise InvalidModel(
            f"its files are one folder too deep: move {folder / configs[0].parent} to "
            f"{folder.parent}, or watch {folder}"
        )


def _refuse_cache(folder: PurePath, snapshot: PurePath) -> None:
    """One of the hub's downloads, in which files are links: moved elsewhere they lead nowhere."""
    if snapshot.parts[:1] == ("snapshots",):
        name = folder.name.rpartition("--")[2]
        raise InvalidModel(
            "it is a cache of Hugging Face's downloads, in which the files are links: "
            f"cp -rL {quote(str(folder / snapshot))} {quote(str(folder.parent / name))}"
        )


def _signature(
    files: Files, config: Config, task: Task
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Of a classifier of images, what it computes from; other tasks take text."""
    if task is not Task.VISION:
        return (), ()
    if PREPROCESSOR not in files:
        raise Incomplete(f"{PREPROCESSOR} is missing: it says how an image becomes numbers")
    shape = (-1, config.num_channels, *config.image_shape)
    return (
        (TensorSpec(name="pixel_values", datatype="FP32", shape=shape),),
        (TensorSpec(name="logits", datatype="FP32", shape=(-1, config.labels)),),
    )
