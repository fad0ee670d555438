"""The OpenAPI document: FastAPI's of the cold routes, and ours of those that never see FastAPI.

`python -m modelium.gateway.pages` prints it.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from modelium.gateway.edge.paths import dialect_of
from modelium.gateway.live.documents import BusEvent, LiveChange, LiveSnapshot
from modelium.gateway.pages.bodies import ErrorBody
from modelium.gateway.pages.hot_routes import (
    ERROR_BODIES,
    HEADERS,
    RETRY_HEADERS,
    components,
    error_answer,
    hot_paths,
)

Json = dict[str, Any]

_ABOUT: Final = """\
Many models behind one API. What a request says goes to the engine byte for byte, and so does the
answer back; the gateway itself reads only where the model stands, and whether to stream.

A request for a model that is not loaded waits while it loads. A stream gets headers at once, then
comments `: modelium state=loading position=2 eta_s=14` until its first byte. Anything else gets its
answer, or 503 `model_loading` with `Retry-After` when its time is up; the load goes on.

Before its route is looked at, any request may be answered 400, 408, 414 or 431 with an `ErrorBody`.
Where no key is needed, any request that a web page of another site may have sent is answered 403,
unless `gateway.allowed_origins` names the site.

An API key is sent as `Authorization: Bearer …` or `x-api-key`, where the gateway asks for one.
"""
_REF: Final = "#/components/schemas/{model}"
_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_OPEN: Final = frozenset(
    {"/", "/health", "/healthz", "/readyz", "/metrics", "/v2", "/v2/health/live"}
)
"""What everybody may see."""


_STREAMED: Final[dict[str, tuple[type[BaseModel], ...]]] = {
    "/live": (LiveSnapshot, LiveChange),
    "/events": (BusEvent,),
}
"""What the `data` of these streams' events is; the framework cannot tell of more than one kind."""


def document(app: FastAPI) -> Json:
    """The whole document."""
    whole = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    shared = components()
    schemas = whole["components"]["schemas"] | shared["schemas"] | _tell_streams(whole)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    whole["components"] = shared | {"schemas": dict(sorted(schemas.items()))}
    whole["components"]["securitySchemes"] = _SECURITY
    # Nothing at all is one of the choices: a gateway on loopback asks for no key.
    whole["security"] = [{}, {"bearer": []}, {"x-api-key": []}]
    whole["paths"] = _ordered(hot_paths() | whole["paths"])
    for path, item in whole["paths"].items():
        for operation in item.values():
            _complete(path, operation)
    return whole


def _tell_streams(whole: Json) -> Json:
    """Say what streams are made of; the schemas for it."""
    kinds = [kind for kinds in _STREAMED.values() for kind in kinds]
    for path, of_path in _STREAMED.items():
        answer = whole["paths"][path]["get"]["responses"]["200"]
        refs = [{"$ref": _REF.format(model=kind.__name__)} for kind in of_path]
        answer["content"]["text/event-stream"]["itemSchema"]["properties"]["data"] = {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"anyOf": refs} if len(refs) > 1 else refs[0],
        }
    found = models_json_schema([(kind, "serialization") for kind in kinds], ref_template=_REF)
    schemas: Json = found[1]["$defs"]
    return schemas


def _error(path: str, operation: Json, status: int) -> Json:
    """The answer that tells this error, in each form that the route's clients may read."""
    headers = [(p["name"].encode(), b"") for p in operation.get("parameters", ()) if "name" in p]
    forms = {dialect_of(path, ()), dialect_of(path, headers)}
    return error_answer(status, *(ERROR_BODIES.get(form, ErrorBody) for form in sorted(forms)))


def _ordered(paths: Json) -> Json:
    return dict(sorted(paths.items()))


def _complete(path: str, operation: Json) -> None:
    """Say what holds for every operation."""
    answers: Json = operation["responses"]
    if answers.get("422", {}).get("description") == "Validation Error":
        del answers["422"]  # FastAPI's own; `answers.py` tells it as 400.
    told = [400] if operation.keys() & {"parameters", "requestBody"} else []
    told += [413] if "requestBody" in operation else []
    if path in _OPEN:
        operation["security"] = []
    else:
        told += [401, 403]
    answers |= {str(status): _error(path, operation, status) for status in told} | answers
    for status, answer in answers.items():
        if "$ref" not in answer:
            answer.setdefault("headers", RETRY_HEADERS if status in ("429", "503") else HEADERS)
    operation["responses"] = dict(sorted(answers.items()))
