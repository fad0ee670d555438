"""Whether a folder has the vocabulary by which its model reads text; pure.

Without one vLLM and transformers may make up an empty tokenizer, to which every word is unknown:
the answers look right, and are not.
"""

import re
from collections.abc import Collection
from typing import Final

from modelium.common.descriptor import Task

TOKENIZER_MISSING: Final = "its tokenizer is missing (tokenizer.json): copy it as well"
PREPROCESSOR: Final = "preprocessor_config.json"
_OF_TEXT: Final = frozenset(
    {Task.CHAT, Task.COMPLETION, Task.EMBEDDING, Task.RERANK, Task.CLASSIFY, Task.TOKEN_CLASSIFY}
)
_VOCABULARY: Final = re.compile(
    r"tokenizer(?!_config)|vocab(?!\.json$)|spiece|sentencepiece|tekken|tiktoken"
    r"|\.(?:model|spm|bpe)$|bpe\.codes$",
    re.IGNORECASE,
)
"""As wide as the names that are in use: an unknown vocabulary is better served than refused."""
_PAIR: Final = frozenset({"vocab.json", "merges.txt"})
_BYTES: Final = ("ByT5", "MyT5", "Canine", "Perceiver")
"""Families whose tokens are bytes or characters: their tokenizers have no file."""


def lacks_tokenizer(
    names: Collection[str], task: Task, architecture: str, tokenizer_class: object
) -> bool:
    """Whether a model of this task needs a tokenizer, and none of its files can be one.

    Those of sentence-transformers may keep it in a module's folder. What hears is called a
    classifier as well, and is told by how it reads its input.
    """
    if task not in _OF_TEXT or (task is Task.CLASSIFY and PREPROCESSOR in names):
        return False
    if architecture.startswith(_BYTES) or str(tokenizer_class).startswith(_BYTES):
        return False
    deeper = "modules.json" in names
    found = {name.rpartition("/")[2] for name in names if deeper or "/" not in name}
    return not (found >= _PAIR or any(map(_is_vocabulary, found)))


def _is_vocabulary(name: str) -> bool:
    return not name.endswith(".py") and _VOCABULARY.search(name) is not None
