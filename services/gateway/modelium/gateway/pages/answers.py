"""How the cold routes tell errors: in the form of the route's clients."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.paths import RULES, dialect_of


def tell_errors(app: FastAPI) -> None:
    """Have the application answer every error with an object of ours."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)


def _respond(request: Request, error: ApiError) -> JSONResponse:
    headers = {str(name, "ascii"): str(value, "ascii") for name, value in error.headers()}
    dialect = dialect_of(request.scope["path"], request.scope["headers"])
    return JSONResponse(error.body(dialect), status_code=error.status, headers=headers)


async def _on_api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return _respond(request, error)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 405:
        by_framework = (error.headers or {}).get("Allow", "GET")
        allow = _allowed(request, by_framework)
        told = errors.method_not_allowed(request.method, path, allow=allow)
    elif error.status_code == 404:
        told = errors.not_found(f"There is no route {path[:256]}; {_route_instead_of(path)}.")
    elif isinstance(error.__cause__, ApiError):
        told = error.__cause__  # raised while the framework read the body
    else:
        told = ApiError(error.status_code, "error", "invalid_request_error", error.detail)
    return _respond(request, told)


def _route_instead_of(path: str) -> str:
    """What the client may have meant: it has `/v1` once too often, or not at all."""
    for meant in (path.removeprefix("/v1"), f"/v1{path}"):
        if meant in RULES or meant == "/v1/models":
            return f"{meant} is one: the client's base URL has /v1 where it should not, or lacks it"
    return "/docs lists those there are"


def _allowed(request: Request, by_framework: str) -> str:
    """The methods of the path: of all its routes, where the framework names those of the first."""
    documented: dict[str, dict[str, object]] = request.app.openapi()["paths"]
    methods: set[str] = set()
    for path, operations in documented.items():
        if compile_path(path)[0].match(request.url.path):
            methods |= operations.keys()
    return ", ".join(sorted(methods)).upper() or by_framework


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(map(str, first.get("loc", ())))
    param = str(first["loc"][-1]) if first.get("loc") else None
    text = f"{where}: {first.get('msg', 'invalid')}"
    return _respond(request, errors.invalid_request(text, param=param))
