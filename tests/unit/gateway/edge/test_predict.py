"""Which engine route a prediction becomes."""

import json
from typing import Any

import pytest

from modelium.common.records import Task
from modelium.common.testing import a_descriptor
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.predict import translate

CHAT = {"task": Task.CHAT}
PLAIN = {"task": Task.COMPLETION, "has_chat_template": False}
EMBED = {"task": Task.EMBEDDING}
USER = [{"role": "user", "content": "i"}]


@pytest.mark.parametrize(
    ("about", "request_", "path", "content"),
    [
        (CHAT, {"prompt": "p"}, "/v1/completions", {"prompt": "p"}),
        (CHAT, {"messages": USER}, "/v1/chat/completions", {"messages": USER}),
        (CHAT, {"input": "i"}, "/v1/chat/completions", {"messages": USER}),
        (CHAT, {"input": [1, 2]}, "/v1/completions", {"prompt": [1, 2]}),  # tokens are no message
        (PLAIN, {"input": "i"}, "/v1/completions", {"prompt": "i"}),
        (EMBED, {"input": ["a", "b"]}, "/v1/embeddings", {"input": ["a", "b"]}),
        (EMBED, {"prompt": "p"}, "/v1/embeddings", {"input": "p"}),
        ({"task": Task.CLASSIFY}, {"input": "i"}, "/classify", {"input": "i"}),
    ],
)
def test_routes(
    about: dict[str, Any], request_: dict[str, Any], path: str, content: dict[str, Any]
) -> None:
    options = {"max_tokens": 3, "x": {"y": 1}}
    got_path, body = translate("qwen", {**request_, **options}, a_descriptor(**about))
    assert got_path == path
    assert json.loads(body) == {"model": "qwen", **content, **options}


def test_the_model_of_the_path_wins() -> None:
    _, body = translate("qwen", {"prompt": "p", "model": "other"}, None)
    assert json.loads(body)["model"] == "qwen"


def test_nothing_to_predict_from_is_refused() -> None:
    with pytest.raises(ApiError) as error:
        translate("qwen", {"max_tokens": 3}, None)
    assert error.value.status == 400
