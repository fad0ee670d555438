"""The engine routes that the gateway passes through, and which models they are for.

Pure. A rule is what the gateway must know of one route: where a request names its model, whether
its answer can be a stream and how that ends, and in which form its clients read errors and usage.
What an engine can do follows from the model's task and its runtime.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from modelium.common.descriptor import Descriptor, RuntimeKind, Task


class Dialect(StrEnum):
    """The form of errors, of usage and of a stream's events."""

    OPENAI = "openai"
    """Chat and completions: usage of a stream is asked for with `stream_options`."""
    RESPONSES = "responses"
    ANTHROPIC = "anthropic"
    PLAIN = "plain"
    """OpenAI's error objects; usage, where there is any, in `usage`."""
    OIP = "oip"
    """Open Inference Protocol: `{"error": "text"}`."""


class ModelIn(StrEnum):
    """Where a request names its model."""

    JSON = "json"
    MULTIPART = "multipart"
    PATH = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One route. `streams`: its answer may be an event stream, if the client asks for one."""

    path: str
    """With `{model}` where the model stands; also its name in metrics and documents."""
    tasks: frozenset[Task]
    runtimes: frozenset[RuntimeKind]
    hosted: frozenset[Task] = frozenset()
    """The tasks for which a model host answers it too."""
    dialect: Dialect
    model_in: ModelIn = ModelIn.JSON
    streams: bool = False
    ends_with: frozenset[bytes] = frozenset()
    """What the last event of a whole stream is called (`sse.py`): one of these; empty: any."""

    def allows(self, descriptor: Descriptor | None) -> bool:
        """Whether it is for this model; one that is not analysed yet may try."""
        if descriptor is None:
            return True
        return self.serves(descriptor.task, descriptor.runtime)

    def serves(self, task: Task, runtime: RuntimeKind) -> bool:
        """Whether engines of this runtime answer it for models of this task."""
        if runtime is RuntimeKind.RAY_SERVE and task in self.hosted:
            return True
        return task in self.tasks and runtime in self.runtimes


_DONE: Final = frozenset({b"[DONE]"})
_ENDS: Final = {
    Dialect.OPENAI: _DONE,
    Dialect.RESPONSES: _DONE
    | {b"response.completed", b"response.failed", b"response.incomplete", b"error"},
    Dialect.ANTHROPIC: frozenset({b"message_stop", b"error"}),
}
_GENERATES: Final = frozenset({Task.CHAT, Task.COMPLETION, Task.UNKNOWN})
_EMBEDS: Final = frozenset({Task.EMBEDDING, Task.UNKNOWN})
_SCORES: Final = frozenset({Task.RERANK, Task.EMBEDDING, Task.UNKNOWN})
_CLASSIFIES: Final = frozenset({Task.CLASSIFY, Task.RERANK, Task.UNKNOWN})
_TRANSCRIBES: Final = frozenset({Task.TRANSCRIPTION, Task.UNKNOWN})
_ALL: Final = frozenset(Task)
_VLLM: Final = frozenset({RuntimeKind.VLLM})
_RAY: Final = frozenset({RuntimeKind.RAY_SERVE})


def _plain(path: str, tasks: frozenset[Task], *hosted: Task) -> Rule:
    return Rule(
        path=path,
        tasks=tasks,
        runtimes=_VLLM,
        hosted=frozenset(hosted),
        dialect=Dialect.PLAIN,
    )


def _generates(path: str, dialect: Dialect) -> Rule:
    return Rule(
        path=path,
        tasks=_GENERATES,
        runtimes=_VLLM,
        dialect=dialect,
        streams=True,
        ends_with=_ENDS[dialect],
    )


def _transcribes(path: str) -> Rule:
    return Rule(
        path=path,
        tasks=_TRANSCRIBES,
        runtimes=_VLLM,
        dialect=Dialect.PLAIN,
        model_in=ModelIn.MULTIPART,
        streams=True,
        ends_with=_DONE,
    )


def _makes(path: str, task: Task) -> Rule:
    return Rule(path=path, tasks=frozenset({task}), runtimes=_RAY, dialect=Dialect.PLAIN)


def _infers(path: str) -> Rule:
    return Rule(path=path, tasks=_ALL, runtimes=_RAY, dialect=Dialect.OIP, model_in=ModelIn.PATH)


def _by_path(rules: Iterable[Rule]) -> Mapping[str, Rule]:
    return {rule.path: rule for rule in rules}


RULES: Final[Mapping[str, Rule]] = _by_path(
    [
        _generates("/v1/chat/completions", Dialect.OPENAI),
        _generates("/v1/completions", Dialect.OPENAI),
        _generates("/v1/responses", Dialect.RESPONSES),
        _generates("/v1/messages", Dialect.ANTHROPIC),
        Rule(
            path="/v1/messages/count_tokens",
            tasks=_GENERATES,
            runtimes=_VLLM,
            dialect=Dialect.ANTHROPIC,
        ),
        _plain("/v1/embeddings", _EMBEDS, Task.EMBEDDING),
        _plain("/v2/embed", _EMBEDS),
        _plain("/pooling", _SCORES | _CLASSIFIES | {Task.TOKEN_CLASSIFY}),
        _plain("/classify", _CLASSIFIES, Task.CLASSIFY),
        _plain("/score", _SCORES),
        _plain("/v1/score", _SCORES),
        _plain("/rerank", _SCORES),
        _plain("/v1/rerank", _SCORES),
        _plain("/v2/rerank", _SCORES),
        _plain("/tokenize", _ALL),
        _plain("/detokenize", _ALL),
        _transcribes("/v1/audio/transcriptions"),
        _transcribes("/v1/audio/translations"),
        _makes("/v1/audio/speech", Task.SPEECH),
        _makes("/v1/images/generations", Task.IMAGE),
    ]
)
"""Routes whose request names the model in its body."""

INFER: Final = _infers("/v2/models/{model}/infer")
INFER_VERSION: Final = _infers("/v2/models/{model}/versions/{version}/infer")
PREDICT: Final = "/predict/{model}"
"""A route of our own, translated by `predict.py` into one of the others."""
HOST_PREDICT: Final = Rule(
    path=PREDICT,
    tasks=_ALL,
    runtimes=_RAY,
    dialect=Dialect.PLAIN,
    model_in=ModelIn.PATH,
)
"""What a prediction becomes that is for a model host as it is."""

_INFER_PATH: Final = re.compile(r"/v2/models/([^/]+)(?:/versions/[A-Za-z0-9._-]+)?/infer")


def find_rule(path: str) -> Rule | None:
    """The rule of a request's path, decoded; None: it is not passed to an engine as it is."""
    rule = RULES.get(path)
    if rule is None and path.startswith("/v2/models/") and _INFER_PATH.fullmatch(path):
        return INFER_VERSION if "/versions/" in path else INFER
    return rule


def dialect_of(path: str, headers: Iterable[tuple[bytes, bytes]]) -> Dialect:
    """In which form a request's client reads errors, whatever its route."""
    rule = find_rule(path)
    if rule is not None:
        return rule.dialect
    if path == "/v2" or path.startswith("/v2/"):
        return Dialect.OIP
    if path.startswith("/v1/") and any(name == b"anthropic-version" for name, _ in headers):
        return Dialect.ANTHROPIC
    return Dialect.PLAIN


def model_of(path: str) -> str:
    """The model that a path of `INFER` or `INFER_VERSION` names."""
    found = _INFER_PATH.fullmatch(path)
    assert found is not None, "find_rule has looked"
    return found[1]


def routes_of(descriptor: Descriptor | None) -> tuple[str, ...]:
    """What the model answers: the paths that clients can use; none before it is analysed."""
    return () if descriptor is None else _routes(descriptor.task, descriptor.runtime)


@cache
def _routes(task: Task, runtime: RuntimeKind) -> tuple[str, ...]:
    rules = (*RULES.values(), INFER, INFER_VERSION, HOST_PREDICT)
    return tuple(r.path for r in rules if r.serves(task, runtime))
