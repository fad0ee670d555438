"""The engine routes that the gateway passes through, and which models they are for.

Pure. All of them are POST with a JSON body that names `model`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from modelium.common.records import Descriptor, Task

_GENERATES: Final = frozenset({Task.CHAT, Task.COMPLETION, Task.UNKNOWN})
_EMBEDS: Final = frozenset({Task.EMBEDDING, Task.UNKNOWN})
_CLASSIFIES: Final = frozenset({Task.CLASSIFY, Task.UNKNOWN})
_POOLS: Final = _EMBEDS | _CLASSIFIES
_ALL: Final = frozenset(Task)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which tasks a route serves; `ends_with_done`: its streams end with `data: [DONE]`."""

    tasks: frozenset[Task]
    ends_with_done: bool = False

    def allows(self, descriptor: Descriptor | None) -> bool:
        """Whether it is for this model; one that is not analysed yet may try."""
        return descriptor is None or descriptor.task in self.tasks


RULES: Final[Mapping[str, Rule]] = {
    "/v1/chat/completions": Rule(_GENERATES, ends_with_done=True),
    "/v1/completions": Rule(_GENERATES, ends_with_done=True),
    "/v1/responses": Rule(_GENERATES),
    "/v1/messages": Rule(_GENERATES),
    "/v1/messages/count_tokens": Rule(_GENERATES),
    "/v1/embeddings": Rule(_EMBEDS),
    "/v2/embed": Rule(_EMBEDS),
    "/pooling": Rule(_POOLS),
    "/classify": Rule(_CLASSIFIES),
    "/score": Rule(_POOLS),
    "/v1/score": Rule(_POOLS),
    "/rerank": Rule(_POOLS),
    "/v1/rerank": Rule(_POOLS),
    "/v2/rerank": Rule(_POOLS),
    "/tokenize": Rule(_ALL),
    "/detokenize": Rule(_ALL),
}
