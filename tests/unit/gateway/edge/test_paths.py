"""Which routes there are, and which models they are for."""

import pytest

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.testing import a_descriptor
from modelium.gateway.edge.paths import (
    HOST_PREDICT,
    INFER,
    INFER_VERSION,
    RULES,
    Dialect,
    ModelIn,
    Rule,
    dialect_of,
    find_rule,
    model_of,
    routes_of,
)

GENERATES = {
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
}
TOKENS = {"/tokenize", "/detokenize"}
SCORES = {"/score", "/v1/score", "/rerank", "/v1/rerank", "/v2/rerank"}
EMBEDS = {"/v1/embeddings", "/v2/embed"}
TRANSCRIBES = {"/v1/audio/transcriptions", "/v1/audio/translations"}
INFERS = {INFER.path, INFER_VERSION.path}
HOSTED = INFERS | {"/predict/{model}"}

# What an engine of this runtime answers for a model of this task: all there is, and no more.
ANSWERED = {
    (RuntimeKind.VLLM, Task.CHAT): GENERATES | TOKENS,
    (RuntimeKind.VLLM, Task.COMPLETION): GENERATES | TOKENS,
    (RuntimeKind.VLLM, Task.EMBEDDING): EMBEDS | SCORES | {"/pooling"} | TOKENS,
    (RuntimeKind.VLLM, Task.CLASSIFY): {"/classify", "/pooling"} | TOKENS,
    (RuntimeKind.VLLM, Task.RERANK): {"/classify", "/pooling"} | SCORES | TOKENS,
    (RuntimeKind.VLLM, Task.TOKEN_CLASSIFY): {"/pooling"} | TOKENS,
    (RuntimeKind.VLLM, Task.TRANSCRIPTION): TRANSCRIBES | TOKENS,
    # vLLM has no such routes.
    (RuntimeKind.VLLM, Task.SPEECH): TOKENS,
    (RuntimeKind.VLLM, Task.IMAGE): TOKENS,
    (RuntimeKind.VLLM, Task.TENSOR): TOKENS,
    (RuntimeKind.VLLM, Task.VISION): TOKENS,
    # The engine may know better than the analysis.
    (RuntimeKind.VLLM, Task.UNKNOWN): GENERATES
    | EMBEDS
    | SCORES
    | {"/classify", "/pooling"}
    | TRANSCRIBES
    | TOKENS,
    **{(RuntimeKind.RAY_SERVE, task): HOSTED for task in Task},
    (RuntimeKind.RAY_SERVE, Task.SPEECH): HOSTED | {"/v1/audio/speech"},
    (RuntimeKind.RAY_SERVE, Task.IMAGE): HOSTED | {"/v1/images/generations"},
    (RuntimeKind.RAY_SERVE, Task.EMBEDDING): HOSTED | {"/v1/embeddings"},
    (RuntimeKind.RAY_SERVE, Task.CLASSIFY): HOSTED | {"/classify"},
}
EVERY_RULE = [*RULES.values(), INFER, INFER_VERSION, HOST_PREDICT]


def test_the_table_knows_every_runtime_and_task() -> None:
    assert set(ANSWERED) == {(runtime, task) for runtime in RuntimeKind for task in Task}


@pytest.mark.parametrize("kind", ANSWERED, ids="-".join)
def test_each_route_for_each_task(kind: tuple[RuntimeKind, Task]) -> None:
    paths = ANSWERED[kind]
    about = a_descriptor(runtime=kind[0], task=kind[1])
    assert {rule.path for rule in EVERY_RULE if rule.allows(about)} == paths
    assert set(routes_of(about)) == paths


def test_a_model_that_is_not_analysed_may_try_everything_and_promises_nothing() -> None:
    assert all(rule.allows(None) for rule in EVERY_RULE)
    assert routes_of(None) == ()


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/v1/chat/completions", RULES["/v1/chat/completions"]),
        ("/v2/rerank", RULES["/v2/rerank"]),
        ("/v2/models/qwen2.5-0.5b_x/infer", INFER),
        ("/v2/models/m/versions/1.0-a/infer", INFER_VERSION),
        ("/v2/models/m", None),
        ("/v2/models/m/ready", None),
        ("/v2/models/a/b/infer", None),
        ("/v2/models//infer", None),
        ("/v2/models/m/versions//infer", None),
        ("/v2/models/m/versions/a b/infer", None),
        ("/v2/models/m/infer\n", None),
        ("/v1/chat/completions/", None),
        ("/v1/models", None),
        ("/", None),
    ],
)
def test_the_rule_of_a_path(path: str, rule: Rule | None) -> None:
    assert find_rule(path) is rule


@pytest.mark.parametrize(
    ("path", "headers", "dialect"),
    [
        ("/v2/models/m/infer", [], Dialect.OIP),
        ("/v2/models/m", [], Dialect.OIP),
        ("/v2", [], Dialect.OIP),
        ("/v2/embed", [], Dialect.PLAIN),  # Cohere's, not the protocol's
        ("/v22", [], Dialect.PLAIN),
        ("/v1/models", [(b"anthropic-version", b"1")], Dialect.ANTHROPIC),
        ("/v1/chat/completions", [(b"anthropic-version", b"1")], Dialect.OPENAI),
        ("/v1/models", [(b"accept", b"*/*")], Dialect.PLAIN),
        ("/status", [(b"anthropic-version", b"1")], Dialect.PLAIN),
        ("/predict/m", [], Dialect.PLAIN),
    ],
)
def test_the_form_in_which_errors_are_read(
    path: str, headers: list[tuple[bytes, bytes]], dialect: Dialect
) -> None:
    assert dialect_of(path, headers) is dialect


def test_the_model_in_a_path() -> None:
    assert model_of("/v2/models/qwen2.5-0.5b_x/infer") == "qwen2.5-0.5b_x"
    assert model_of("/v2/models/m/versions/infer/infer") == "m"


def test_every_stream_has_an_end_and_only_openai_ends_it_with_done() -> None:
    ends = {rule.path for rule in EVERY_RULE if rule.ends_with == {b"[DONE]"}}
    assert ends == {"/v1/chat/completions", "/v1/completions", *TRANSCRIBES}
    assert all(rule.streams == bool(rule.ends_with) for rule in EVERY_RULE)


def test_forms_dialects_and_places() -> None:
    assert {r.path for r in EVERY_RULE if r.model_in is ModelIn.MULTIPART} == TRANSCRIBES
    assert {r.path for r in EVERY_RULE if r.model_in is ModelIn.PATH} == INFERS | {
        "/predict/{model}"
    }
    by_dialect = {d: {r.path for r in EVERY_RULE if r.dialect is d} for d in Dialect}
    assert by_dialect[Dialect.ANTHROPIC] == {"/v1/messages", "/v1/messages/count_tokens"}
    assert by_dialect[Dialect.RESPONSES] == {"/v1/responses"}
    assert by_dialect[Dialect.OPENAI] == {"/v1/chat/completions", "/v1/completions"}
    assert by_dialect[Dialect.OIP] == INFERS
