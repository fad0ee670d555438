"""What an architecture is for, by the name that the transformers library gives it; pure.

The endings are those by which vLLM chooses, too (`vllm/config/model.py`, `_SUFFIX_TO_DEFAULTS`);
the families are what vLLM 0.32's registry and transformers 5.19 hold beside those.
"""

from typing import Final

from modelium.common.descriptor import Task

_OF_VLLM: Final = frozenset(
    {"Bert", "Roberta", "XLMRoberta", "ModernBert", "NomicBert", "Gte", "GteNew"}
)
"""Encoders of its own."""
_BY_TRANSFORMERS: Final = frozenset(
    {"Electra", "Camembert", "Ernie", "Data2VecText", "XLMRobertaXL", "RobertaPreLayerNorm"}
)
"""Encoders that it computes by the code of transformers, each of whose layers knows its number."""
_BEYOND_VLLM: Final = frozenset(
    {"DistilBert", "Albert", "MobileBert", "MPNet", "Deberta", "DebertaV2", "MegatronBert"}
    | {"RoFormer", "RemBert", "BigBird", "Longformer", "Nystromformer", "SqueezeBert", "ConvBert"}
    | {"Funnel", "IBert", "Luke", "Canine", "Yoso", "XLM", "XLNet", "Flaubert"}
    | {"T5Encoder", "MT5Encoder"}
)
"""Encoders whose code in transformers has attention of its own or does not number its layers."""
_ENCODERS: Final = _OF_VLLM | _BY_TRANSFORMERS | _BEYOND_VLLM
"""They see a whole text at once and keep no cache."""
_DECODERS_THAT_EMBED: Final = frozenset(
    {"Llama", "LlamaBidirectional", "Mistral", "Qwen2", "Qwen3", "Gemma2", "Gemma3Text"}
    | {"JinaEmbeddingsV5", "CLIP", "Siglip"}
)
_EMBED: Final = _ENCODERS | _DECODERS_THAT_EMBED
_GENERATE: Final = ("ForCausalLM", "LMHeadModel", "ChatModel")
_OF_TOKENS: Final = ("ForTokenClassification", "ForRewardModel", "ForProcessRewardModel")
_TRANSCRIBE: Final = frozenset(
    f"{family}ForConditionalGeneration"
    for family in ("Whisper", "CohereAsr", "FireRedASR2", "FunASR", "MossTranscribeDiarize")
)
"""Those that do nothing else (`supports_transcription_only`)."""
_FROM_PARTS: Final = "ForConditionalGeneration"
_MASKED: Final = "ForMaskedLM"
_OF_MASKED: Final = {"BertForMaskedLM": Task.TOKEN_CLASSIFY, "RobertaForMaskedLM": Task.EMBEDDING}
"""What vLLM makes of models that fill gaps: scores of each token, or one vector."""
_HEADS: Final = ("ForSequenceClassification", _MASKED, "Model", *_OF_TOKENS)


def task_of(architecture: str, *, chat: bool, labels: int = 2, parts: bool = False) -> Task:
    """What the architecture is for.

    `chat`: its tokenizer knows how a chat is written. `parts`: it reads more than text; a model
    that only translates or sums up has none, and no engine here. A classifier with one label scores
    a pair of texts: it ranks.
    """
    if architecture in _TRANSCRIBE:
        return Task.TRANSCRIPTION
    if architecture.endswith(_GENERATE) or (architecture.endswith(_FROM_PARTS) and (parts or chat)):
        return Task.CHAT if chat else Task.COMPLETION
    return _of_a_reader(architecture, labels)


def _of_a_reader(architecture: str, labels: int) -> Task:
    """What it makes of a text that it does not go on with."""
    if architecture.endswith("ForSequenceClassification"):
        return Task.RERANK if labels == 1 else Task.CLASSIFY
    if architecture.endswith(_OF_TOKENS):
        return Task.TOKEN_CLASSIFY
    if architecture.endswith("ForImageClassification"):
        return Task.VISION
    if architecture.endswith(_MASKED):
        return _OF_MASKED.get(architecture, Task.UNKNOWN)
    embeds = architecture.endswith("Model") and _family(architecture) in _EMBED
    return Task.EMBEDDING if embeds else Task.UNKNOWN


def keeps_no_cache(architecture: str) -> bool:
    """Whether it is an encoder, which needs no key-value cache."""
    return _family(architecture) in _ENCODERS


def is_beyond_vllm(architecture: str, task: Task) -> bool:
    """Whether vLLM cannot compute it for this task, though transformers can."""
    if architecture.endswith(_MASKED) and _OF_MASKED.get(architecture) is not task:
        return True
    return _family(architecture) in _BEYOND_VLLM


def first_position(architecture: str, padding: int | None) -> int:
    """Models of RoBERTa's kind count positions from beyond that of the padding."""
    counts_on = "Roberta" in architecture or _family(architecture) in {"Camembert", "Data2VecText"}
    return (1 if padding is None else padding) + 1 if counts_on else 0


def _family(architecture: str) -> str:
    head = next((head for head in _HEADS if architecture.endswith(head)), "")
    return architecture.removesuffix(head)
