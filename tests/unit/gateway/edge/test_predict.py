"""Which engine route a prediction becomes."""

import json
from typing import Any

import pytest

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.testing import a_descriptor
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.predict import predict_call, translate

CHAT = {"task": Task.CHAT}
PLAIN = {"task": Task.COMPLETION, "has_chat_template": False}
EMBED = {"task": Task.EMBEDDING}
QUERY = {"query": "q", "documents": ["a", "b"]}
USER = [{"role": "user", "content": "i"}]


def written(members: dict[str, Any]) -> dict[str, bytes]:
    return {name: json.dumps(value).encode() for name, value in members.items()}


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
        ({"task": Task.TOKEN_CLASSIFY}, {"input": "i"}, "/pooling", {"input": "i"}),
        ({"task": Task.SPEECH}, {"input": "i"}, "/v1/audio/speech", {"input": "i"}),
        ({"task": Task.IMAGE}, {"prompt": "p"}, "/v1/images/generations", {"prompt": "p"}),
        ({"task": Task.IMAGE}, {"input": "p"}, "/v1/images/generations", {"prompt": "p"}),
        ({"task": Task.RERANK}, QUERY, "/v1/rerank", QUERY),
        (EMBED, QUERY, "/v1/rerank", QUERY),
    ],
)
def test_routes(
    about: dict[str, Any], request_: dict[str, Any], path: str, content: dict[str, Any]
) -> None:
    options = {"max_tokens": 3, "x": {"y": 1}}
    got_path, body = translate("qwen", written({**request_, **options}), a_descriptor(**about))
    assert got_path == path
    assert json.loads(body) == {"model": "qwen", **content, **options}


def test_the_model_of_the_path_wins() -> None:
    _, body = translate("qwen", written({"prompt": "p", "model": "other"}), None)
    assert json.loads(body)["model"] == "qwen"


@pytest.mark.parametrize(
    ("about", "request_", "said"),
    [
        (CHAT, {"text": "t"}, "model for chat, takes 'messages', 'prompt' or 'input'"),
        (CHAT, {"inputs": []}, "takes 'messages', 'prompt' or 'input'; this request has 'inputs'"),
        (CHAT, QUERY, "this request has 'query', 'documents'"),
        (CHAT, {}, "this request has nothing"),
        (PLAIN, {"input": None}, "takes 'prompt' or 'input'"),
        (EMBED, {"messages": USER}, "takes 'input', or 'query' with 'documents'"),
        ({"task": Task.RERANK}, {"input": "i"}, "takes 'query' with 'documents'"),
        ({"task": Task.CLASSIFY}, {"messages": USER}, "for classify, takes 'input'"),
    ],
)
def test_members_of_another_task_are_refused_with_those_that_this_one_takes(
    about: dict[str, Any], request_: dict[str, Any], said: str
) -> None:
    with pytest.raises(ApiError) as error:
        translate("qwen", written(request_), a_descriptor(**about))
    assert error.value.status == 400
    assert said in error.value.message


def test_of_a_model_that_is_not_analysed_all_members_are_named() -> None:
    with pytest.raises(ApiError) as error:
        translate("qwen", written({"max_tokens": 3}), None)
    assert "/predict for 'qwen' takes one of 'prompt', 'messages'" in error.value.message


def test_tensors_go_to_the_model_host_as_they_are() -> None:
    about = a_descriptor(task=Task.TENSOR, runtime=RuntimeKind.RAY_SERVE)
    request = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1.0]}]}
    path, body = translate("m", written(request), about)
    assert (path, json.loads(body)) == ("/v2/models/m/infer", request)
    with pytest.raises(ApiError) as error:
        translate("m", written({"input": "x"}), about)
    assert "for tensor, takes tensors in 'inputs'" in error.value.message


@pytest.mark.parametrize(
    ("task", "path"), [(Task.EMBEDDING, "/v1/embeddings"), (Task.CLASSIFY, "/classify")]
)
@pytest.mark.parametrize("member", ["input", "prompt"])
def test_texts_go_to_the_model_host_on_the_routes_of_their_task(
    task: Task, path: str, member: str
) -> None:
    about = a_descriptor(task=task, runtime=RuntimeKind.RAY_SERVE)
    got = translate("m", written({member: ["a", "b"], "top_k": 2}), about)
    assert (got[0], json.loads(got[1])) == (path, {"model": "m", "input": ["a", "b"], "top_k": 2})
    assert translate("m", written({"inputs": []}), about)[0] == "/v2/models/m/infer"
    with pytest.raises(ApiError, match="takes 'input', or tensors in 'inputs'; this request has"):
        translate("m", written({"messages": USER}), about)


VISION = {"task": Task.VISION, "runtime": RuntimeKind.RAY_SERVE}


@pytest.mark.parametrize(
    ("content_type", "body", "sent_as"),
    [
        (b"multipart/form-data; boundary=b", b"--b--", b"multipart/form-data; boundary=b"),
        (b"image/png", b"\x89PNG", b"image/png"),
        (b"application/json", b'{"image": "aGk="}', b"application/json"),
        # What curl -d sends.
        (b"application/x-www-form-urlencoded", b'{"image": "aGk="}', b"application/json"),
        # What curl --data-binary @cat.png sends.
        (b"application/x-www-form-urlencoded", b"\x89PNG\r\n\x1a\n...", b"image/png"),
        (b"application/octet-stream", b"\xff\xd8\xff\xe0...", b"image/jpeg"),
        (b"application/x-www-form-urlencoded", b"RIFF\n\n\n\nWEBPVP8 ", b"image/webp"),
    ],
)
def test_an_image_goes_to_the_model_host_as_it_is(
    content_type: bytes, body: bytes, sent_as: bytes
) -> None:
    scope = {
        "path": "/predict/net",
        "query_string": b"top_k=2",
        "headers": [(b"content-type", content_type), (b"prefer", b"wait=3")],
    }
    call = predict_call(scope, body, a_descriptor(**VISION))
    assert (call.path, call.model, call.body) == ("/predict?top_k=2", "net", body)
    assert dict(call.headers)[b"content-type"] == sent_as
    assert call.preferences.wait_s == 3
    assert call.rule.allows(a_descriptor(**VISION))


@pytest.mark.parametrize("body", [b"II*\x00 is how a TIFF begins", b"", b"[1]"])
def test_a_body_that_may_be_an_image_is_refused_with_how_to_say_so(body: bytes) -> None:
    typed = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope: dict[str, Any] = {"path": "/predict/net", "query_string": b"", "headers": typed}
    with pytest.raises(ApiError, match="'content-type: image/png'"):
        predict_call(scope, body, a_descriptor(**VISION))


def test_arrays_by_name_go_to_the_model_host_as_they_are() -> None:
    scope: dict[str, Any] = {"path": "/predict/net", "query_string": b"", "headers": []}
    body = b'{"inputs": {"x": [[1, 2]]}}'
    about = a_descriptor(task=Task.TENSOR, runtime=RuntimeKind.RAY_SERVE)
    call = predict_call(scope, body, about)
    assert (call.path, call.body) == ("/predict", body)
    assert (b"content-type", b"application/json") in call.headers


def test_a_model_that_sees_takes_tensors_too_and_says_what_it_takes() -> None:
    scope: dict[str, Any] = {"path": "/predict/net", "query_string": b"", "headers": []}
    call = predict_call(scope, b'{"inputs": []}', a_descriptor(**VISION))
    assert call.path == "/v2/models/net/infer"
    with pytest.raises(ApiError, match="'image' in base64, a form with a file, an image as it is"):
        predict_call(scope, b'{"prompt": "p"}', a_descriptor(**VISION))


def test_files_are_for_models_that_see() -> None:
    scope = {
        "path": "/predict/qwen",
        "query_string": b"",
        "headers": [(b"content-type", b"image/png")],
    }
    with pytest.raises(ApiError, match="not valid JSON"):
        predict_call(scope, b"\x89PNG", a_descriptor(**CHAT))


def test_a_transcription_is_sent_to_the_route_that_takes_files() -> None:
    with pytest.raises(ApiError) as error:
        translate("m", written({"input": "x"}), a_descriptor(task=Task.TRANSCRIPTION))
    assert "/v1/audio/transcriptions" in error.value.message


def test_the_call_is_one_of_the_route_it_becomes() -> None:
    scope = {
        "path": "/predict/qwen",
        "query_string": b"a=1",
        "headers": [(b"content-type", b"text/plain"), (b"prefer", b"wait=3")],
    }
    call = predict_call(scope, b'{"prompt": "p", "stream": true}', a_descriptor(**CHAT))
    assert (call.path, call.model, call.stream) == ("/v1/completions?a=1", "qwen", True)
    assert (call.rule.path, call.preferences.wait_s) == ("/v1/completions", 3)
    assert (b"content-type", b"application/json") in call.headers
    assert scope["path"] == "/predict/qwen"
