"""The OpenAPI description of the routes that never see FastAPI, made from `paths.RULES`."""

import re
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from modelium.gateway.edge.errors_http import MAX_RETRY_AFTER_S
from modelium.gateway.edge.paths import INFER, INFER_VERSION, PREDICT, RULES, Dialect, ModelIn, Rule
from modelium.gateway.pages.bodies import (
    ERRORS,
    AcceptedBody,
    AnthropicErrorBody,
    ErrorBody,
    OipErrorBody,
    RequestBody,
    StreamingRequestBody,
)

Json = dict[str, Any]

_FORMS: Final[list[type[BaseModel]]] = [
    AcceptedBody,
    AnthropicErrorBody,
    ErrorBody,
    OipErrorBody,
    RequestBody,
    StreamingRequestBody,
]

_ERROR_STATUSES: Final = (
    *(400, 401, 403, 404, 405, 408, 413, 414, 415, 422, 429, 431, 500, 502, 503),
)
_BEFORE_THE_ROUTE: Final = frozenset({400, 408, 414, 431})
"""Also told by the server, which does not know routes, and so no dialects."""
ERROR_BODIES: Final[dict[Dialect, type[BaseModel]]] = {
    Dialect.ANTHROPIC: AnthropicErrorBody,
    Dialect.OIP: OipErrorBody,
}
_TAGS: Final = {
    Dialect.OPENAI: "openai",
    Dialect.RESPONSES: "openai",
    Dialect.ANTHROPIC: "anthropic",
    Dialect.PLAIN: "engines",
    Dialect.OIP: "open inference protocol",
}
_REQUEST_ID: Final[Json] = {
    "description": "the request's own, or one of ours",
    "schema": {"type": "string"},
}
_RETRY_AFTER: Final[Json] = {
    "description": "seconds",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_RETRY_AFTER_S},
}
HEADERS: Final[Json] = {"x-request-id": {"$ref": "#/components/headers/RequestId"}}
RETRY_HEADERS: Final[Json] = {
    **HEADERS,
    "retry-after": {"$ref": "#/components/headers/RetryAfter"},
}
_ANYTHING: Final[Json] = {"type": "object", "additionalProperties": True}
_EVENT: Final[Json] = {
    "description": "of each event; an error that comes after the headers is the last one's `data`",
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
}
_BINARY: Final[Json] = {"type": "string", "format": "binary"}
_PREDICTED_FROM: Final[Json] = {
    "application/json": {"schema": _ANYTHING},
    "multipart/form-data": {
        "schema": {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}
    },
    "image/*": {"schema": _BINARY},
}
"""Files are for models that see."""
_TEXT: Final[Json] = {"type": "string"}


def components() -> dict[str, Json]:
    """What the paths refer to, by kind."""
    schemas = models_json_schema(
        [(form, "validation") for form in _FORMS], ref_template="#/components/schemas/{model}"
    )[1]["$defs"]
    bodies: list[type[BaseModel]] = [ErrorBody, *ERROR_BODIES.values()]
    responses = {_name(b, s): _error_answer(b, s) for b in bodies for s in _ERROR_STATUSES}
    return {
        "schemas": schemas,
        "headers": {"RequestId": _REQUEST_ID, "RetryAfter": _RETRY_AFTER},
        "parameters": {header["name"]: header for header in _HEADERS},
        "responses": responses,
    }


def error_answer(status: int, *bodies: type[BaseModel]) -> Json:
    """The answer that tells this error, by reference if it has one form only."""
    first, *others = bodies or (ErrorBody,)
    if others:
        return _answer_of(status, {"anyOf": [_ref(body) for body in bodies]})
    return {"$ref": f"#/components/responses/{_name(first, status)}"}


def _name(body: type[BaseModel], status: int) -> str:
    return f"{body.__name__.removesuffix('Body')}{status}"


def _error_answer(body: type[BaseModel], status: int) -> Json:
    schema = _ref(body)
    if status in _BEFORE_THE_ROUTE and body is not ErrorBody:
        schema = {"anyOf": [schema, _ref(ErrorBody)]}
    return _answer_of(status, schema)


def _answer_of(status: int, schema: Json) -> Json:
    headers = RETRY_HEADERS if status in (429, 503) else HEADERS
    content = {"application/json": {"schema": schema}}
    return {"description": ERRORS[status], "headers": headers, "content": content}


def hot_paths() -> Json:
    """A path item for each."""
    rules = (*RULES.values(), INFER, INFER_VERSION)
    return {rule.path: {"post": _operation(rule)} for rule in rules} | _predict() | _health()


def _operation(rule: Rule) -> Json:
    return {
        "tags": [_TAGS[rule.dialect]],
        "summary": f"For models of {_kinds(rule)}.",
        "operationId": re.sub(r"\W+", "_", rule.path).strip("_"),
        "parameters": [*_HEADER_REFS, *_path_parameters(rule.path)],
        "requestBody": {"required": True, "content": _request(rule)},
        "responses": _answers(rule.dialect, streams=rule.streams, answer=_answer(rule)),
    }


def _kinds(rule: Rule) -> str:
    tasks = "any task" if len(rule.tasks) > 5 else " or ".join(sorted(rule.tasks))
    return f"{tasks} on {' or '.join(sorted(rule.runtimes))}"


def _header(name: str, text: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "description": text, "schema": schema}


_HEADERS: Final = [
    _header(
        "prefer",
        "`wait=N`: wait at most N seconds for the model; `respond-async`: answer 202 instead",
        _TEXT,
    ),
    _header(
        "x-request-timeout",
        "seconds after which the client is gone",
        {"type": "number", "exclusiveMinimum": 0},
    ),
    _header("x-request-id", "a name for the request; made up where there is none", _TEXT),
]
_HEADER_REFS: Final = [{"$ref": f"#/components/parameters/{h['name']}"} for h in _HEADERS]


def _path_parameters(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _request(rule: Rule) -> Json:
    if rule.model_in is ModelIn.PATH:
        return {
            "application/json": {"schema": _ANYTHING},
            "application/octet-stream": {"schema": _BINARY},
        }
    if rule.model_in is ModelIn.MULTIPART:
        return {"multipart/form-data": {"schema": _form()}}
    body: type[BaseModel] = StreamingRequestBody if rule.streams else RequestBody
    return {"application/json": {"schema": _ref(body)}}


def _form() -> Json:
    return {
        "type": "object",
        "required": ["model", "file"],
        "properties": {
            "model": {"type": "string", "minLength": 1},
            "file": _BINARY,
            "stream": {"type": "boolean"},
            "keep_alive": {"type": "string"},
        },
        "additionalProperties": True,
    }


def _answer(rule: Rule) -> Json:
    if rule.path == "/v1/audio/speech":
        return {"audio/*": {"schema": _BINARY}, "application/json": {"schema": {}}}
    if rule.model_in is ModelIn.MULTIPART:
        return {"application/json": {"schema": {}}, "text/plain": {"schema": _TEXT}}
    return {"application/json": {"schema": {}}}


def _answers(dialect: Dialect, *, streams: bool, answer: Json) -> Json:
    stream = {"text/event-stream": {"schema": _EVENT}} if streams else {}
    accepted = {"application/json": {"schema": _ref(AcceptedBody)}}
    errors = ERROR_BODIES.get(dialect, ErrorBody)
    return {
        "200": {"description": "The engine's answer.", "content": {**answer, **stream}},
        "202": {
            "description": "The model is loading, and the client would not wait.",
            "headers": {**HEADERS, "location": {"schema": _TEXT}},
            "content": accepted,
        },
    } | {str(status): error_answer(status, errors) for status in _ERROR_STATUSES}


def _ref(form: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{form.__name__}"}


def _predict() -> Json:
    summary = "Translated into the route that fits the model's task."
    operation = {
        "tags": ["pages"],
        "summary": summary,
        "operationId": "predict",
        "parameters": [*_HEADER_REFS, *_path_parameters(PREDICT)],
        "requestBody": {"required": True, "content": _PREDICTED_FROM},
        "responses": _answers(
            Dialect.PLAIN, streams=True, answer={"application/json": {"schema": {}}}
        ),
    }
    return {PREDICT: {"post": operation}}


def _health() -> Json:
    json_body = {"application/json": {"schema": _ANYTHING}}
    text = {"text/plain": {"schema": _TEXT}}
    return {
        "/healthz": {"get": _probe("Whether the process is alive.", {"200": json_body})},
        "/readyz": {
            "get": _probe(
                "Whether it serves; names each check.", {"200": json_body, "503": json_body}
            )
        },
        "/metrics": {"get": _probe("Figures for Prometheus.", {"200": text})},
    }


def _probe(summary: str, answers: Json) -> Json:
    return {
        "tags": ["health"],
        "summary": summary,
        "responses": {
            status: {"description": summary, "content": content, "headers": {}}
            for status, content in answers.items()
        },
    }
