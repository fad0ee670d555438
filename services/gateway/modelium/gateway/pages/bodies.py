"""The forms of what passes through, as far as the gateway reads it, and of its own errors.

For the OpenAPI document only: the hot path knows none of this.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

ERRORS: Final = {
    400: "The request is wrong; the message says where.",
    401: "There is no valid key.",
    403: "The key is not for this.",
    404: "There is no such model, or no such route.",
    405: "Another method; `Allow` names those there are.",
    408: "The request came too slowly.",
    409: "The model is pinned, or in a state in which that cannot be done; or of an upload: "
    "something is in its way.",
    412: "Another version of tus is spoken here.",
    413: "The body is too large.",
    414: "The path is too long.",
    415: "The body is compressed.",
    423: "Somebody else writes to this upload.",
    422: "The engine finds the request wrong.",
    429: "A limit is reached or a queue is full; `Retry-After` says when to try again.",
    431: "The headers are too large.",
    500: "The engine failed at this request.",
    502: "The engine died or broke off.",
    503: "The model still loads (and goes on), has failed, or the gateway starts or stops.",
    507: "There is no room on the disk.",
}
"""What each status means."""


class Error(BaseModel):
    """What went wrong."""

    message: str = Field(description="for people")
    type: str = Field(description="for example invalid_request_error or service_unavailable")
    param: str | None = Field(description="the member of the request that is wrong")
    code: str = Field(description="for programs, for example model_not_found or model_loading")


class LoadingState(BaseModel):
    """How far the model is from serving."""

    state: str
    position: int = Field(description="place in the model's queue, from 1")
    eta_s: int | None = Field(description="expected seconds until it serves")
    reason: str


class ErrorBody(BaseModel):
    """OpenAI's error object; with 503 `model_loading` also how far the load is."""

    model_config = ConfigDict(extra="allow")

    error: Error
    loading: LoadingState | None = None


class AnthropicError(BaseModel):
    """What went wrong."""

    type: str
    message: str


class AnthropicErrorBody(BaseModel):
    """Anthropic's error object."""

    model_config = ConfigDict(extra="allow")

    type: Literal["error"]
    error: AnthropicError
    loading: LoadingState | None = None


class OipErrorBody(BaseModel):
    """The error object of the Open Inference Protocol."""

    error: str
    loading: LoadingState | None = None


class AcceptedBody(BaseModel):
    """The model is being loaded (`Prefer: respond-async`); the request itself is not kept."""

    model: str
    state: str
    position: int
    eta_s: int | None
    status_url: str


class StreamOptionsBody(BaseModel):
    """See OpenAI's `stream_options`."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool | None = None


KeepAlive = Annotated[
    float | str | None,
    Field(
        description="how long the model is wanted after this request: seconds, or a duration such "
        "as `5m` or `1h30m`; 0: unload at once, -1: never",
        json_schema_extra={"examples": [300, "5m"]},
    ),
]


class RequestBody(BaseModel):
    """What the gateway reads of a request; everything else goes to the engine as it is."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(min_length=1, description="a name of GET /v1/models")
    keep_alive: KeepAlive = None


class StreamingRequestBody(RequestBody):
    """What the gateway reads of a request whose answer can be a stream."""

    stream: bool | None = Field(default=None, description="answer with server-sent events")
    stream_options: StreamOptionsBody | None = None


Responses = dict[int | str, dict[str, Any]]


def errors(*statuses: int, body: Any = ErrorBody) -> Responses:
    """These answers of a cold route."""
    return {status: {"model": body, "description": ERRORS[status]} for status in statuses}
