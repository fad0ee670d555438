"""What analysis adds for models whose answer is a vector or scores; pure.

vLLM refuses to start with a longer context than it reads off the same files, and fails in the
middle of a request with one that is longer than the model's table of positions.
"""

from modelium.common.descriptor import POOLING_TASKS, Task
from modelium.watcher.hf_tasks import is_beyond_vllm, keeps_no_cache
from modelium.watcher.sentence_transformers import SentenceModel


def beyond_vllm(architecture: str, task: Task, sentences: SentenceModel | None) -> str:
    """What of the model vLLM would not compute as it was meant, for people; empty: nothing."""
    if task not in POOLING_TASKS:
        return ""
    if is_beyond_vllm(architecture, task):
        return architecture
    return sentences.beyond_vllm if sentences else ""


def context_of(
    architecture: str, positions: int, tokenizer_tokens: int, sentences: SentenceModel | None
) -> int:
    """The longest text, in tokens; each 0 means that nothing is said.

    The tokenizer's own limit matters where positions are learned: a decoder may go beyond it.
    """
    of_tokenizer = tokenizer_tokens if keeps_no_cache(architecture) else 0
    of_sentences = sentences.max_tokens if sentences else 0
    return min(filter(None, (positions, of_tokenizer, of_sentences)), default=0)
