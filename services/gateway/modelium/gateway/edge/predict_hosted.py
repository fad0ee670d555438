"""What a prediction becomes for a model that a model host serves. Pure.

Tensors go to the Open Inference Protocol, texts to the routes that vLLM has for them too
(`predict.py`), and the rest to the host's own `/predict`: images in each form that they come in,
and arrays by name.
"""

from collections.abc import Mapping
from typing import Final

from modelium.common.descriptor import Task
from modelium.gateway.edge.call import Call, Headers, Scope, query_of, with_json_type
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
TAKES_TENSORS: Final = "tensors in 'inputs'"


def is_image(content_type: bytes) -> bool:
    """Whether the body is a file, or a form with one, rather than JSON."""
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == b"multipart/form-data" or kind.startswith(b"image/")


def as_it_is(scope: Scope, body: bytes, model: str, *, as_json: bool) -> Call:
    """The call for a prediction that is for the host: the body is the client's own."""
    headers: Headers = scope["headers"]
    return Call(
        path=HOST_PATH + query_of(scope),
        headers=with_json_type(headers) if as_json else headers,
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
