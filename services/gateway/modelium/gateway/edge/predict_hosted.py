"""What a prediction becomes for a model that a model host serves. Pure.

Tensors go to the Open Inference Protocol, texts to the routes that vLLM has for them too
(`predict.py`), and the rest to the host's own `/predict`: images in each form that they come in,
and arrays by name.
"""

import re
from collections.abc import Mapping
from typing import Final

from modelium.common.descriptor import Task
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.call import Call, Headers, Scope, query_of, with_type
from modelium.gateway.edge.paths import HOST_PREDICT
from modelium.gateway.edge.preferences import read_preferences

HOST_PATH: Final = "/predict"
"""The host serves one model, and is not told which."""
TENSORS: Final = "inputs"
_IMAGES: Final = frozenset({"image", "images", "input"})
OF_TEXT: Final = frozenset({Task.EMBEDDING, Task.CLASSIFY})
TAKES: Final = {
    Task.VISION: "'image' in base64, a form with a file, an image as it is, or tensors in 'inputs'",
    Task.EMBEDDING: "'input', or tensors in 'inputs'",
    Task.CLASSIFY: "'input', or tensors in 'inputs'",
}
_BEGINS: Final = {
    b"image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    b"image/jpeg": re.compile(rb"\xff\xd8\xff"),
    b"image/webp": re.compile(rb"RIFF[\x00-\xff]{4}WEBP"),
    b"image/gif": re.compile(rb"GIF8[79]a"),
}
_OBJECT: Final = re.compile(rb"\s*\{")
TAKES_TENSORS: Final = "tensors in 'inputs'"


def is_image(content_type: bytes) -> bool:
    """Whether the body is a file, or a form with one, rather than JSON."""
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == b"multipart/form-data" or kind.startswith(b"image/")


def sniffed_type(body: bytes) -> bytes | None:
    """The type of an image by how it begins; `curl --data-binary` says that it is a form."""
    return next((kind for kind, begins in _BEGINS.items() if begins.match(body)), None)


def require_object(body: bytes, model: str) -> None:
    """ApiError 400 unless the body looks like JSON's object: it may be an image of another kind."""
    if _OBJECT.match(body) is None:
        text = (
            f"/predict for {model!r} takes {TAKES[Task.VISION]}; this body is neither JSON nor "
            "said to be an image: send an image with its type, as in 'content-type: image/png'."
        )
        raise errors.invalid_request(text)


def as_it_is(scope: Scope, body: bytes, model: str, *, content_type: bytes | None = None) -> Call:
    """The call for a prediction that is for the host: the body is the client's own.

    `content_type`: what the body is, if not what the client says.
    """
    headers: Headers = scope["headers"]
    return Call(
        path=HOST_PATH + query_of(scope),
        headers=headers if content_type is None else with_type(headers, content_type),
        body=body,
        model=model,
        stream=False,
        rule=HOST_PREDICT,
        preferences=read_preferences(headers, None, stream=False),
    )


def is_for_host(task: Task, request: Mapping[str, bytes]) -> bool:
    """Whether these members are for the host's own route: images, or arrays by name."""
    if TENSORS in request:
        return request[TENSORS].startswith(b"{")
    return task is Task.VISION and not _IMAGES.isdisjoint(request)
