"""The model in a form with files."""

from typing import Any

import pytest

from modelium.gateway.edge.call import Call, parse_call
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.multipart import read_fields
from modelium.gateway.edge.paths import RULES

PATH = "/v1/audio/transcriptions"
FORM = b"multipart/form-data; boundary=xyz"


def part(name: str, value: bytes, extra: str = "") -> bytes:
    head = f'--xyz\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def form(*parts: bytes, end: bytes = b"--xyz--\r\n") -> bytes:
    return b"".join(parts) + end


def parse(body: bytes, content_type: bytes = FORM) -> Call:
    headers = [(b"content-type", content_type)]
    scope: dict[str, Any] = {"path": PATH, "query_string": b"", "headers": headers}
    return parse_call(scope, body, RULES[PATH])


FILE = part("file", b"RIFF\r\n--xy\x00" * 1000, '; filename="a.wav"')
MODEL = part("model", b"whisper")


@pytest.mark.parametrize(
    ("body", "model", "stream"),
    [
        (form(MODEL, FILE), "whisper", False),
        (form(FILE, MODEL), "whisper", False),
        (form(FILE, MODEL, part("stream", b"True")), "whisper", True),
        (form(MODEL, part("stream", b"0")), "whisper", False),
        (form(MODEL, part("model", b"other")), "other", False),  # as engines read it
        (form(part("model", b"x", '; filename="model"'), MODEL), "whisper", False),
        (form(part("keep_alive", b"5m"), MODEL), "whisper", False),
        (form(MODEL, end=b"--xyz--"), "whisper", False),
        (b"preamble\r\n" + form(MODEL), None, False),
    ],
)
def test_the_fields_are_found_wherever_they_stand(
    body: bytes, model: str | None, stream: bool
) -> None:
    if model is None:
        with pytest.raises(ApiError):
            parse(body)
        return
    call = parse(body)
    assert (call.model, call.stream) == (model, stream)
    assert call.body is body


def test_keep_alive_in_a_form() -> None:
    assert parse(form(MODEL, part("keep_alive", b"5m"))).preferences.keep_alive_s == 300


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (form(MODEL), b"application/json", "content-type multipart/form-data"),
        (form(MODEL), b"multipart/form-data", "with a boundary"),
        (form(MODEL), b"multipart/form-data; boundary=", "with a boundary"),
        (form(MODEL), b"multipart/form-data; boundary=other", "not a valid form"),
        (form(MODEL), b"multipart/form-data; boundary=" + b"x" * 300, "not a valid form"),
        (form(MODEL, end=b""), FORM, "last boundary is missing"),
        (b"", FORM, "last boundary is missing"),
        (form(FILE), FORM, "the field 'model'"),
        (form(part("model", b"")), FORM, "the field 'model'"),
        (form(part("model", b"m" * 2000)), FORM, "longer than 1024 bytes"),
        (form(part("model", b"\xff")), FORM, "not UTF-8"),
        (form(MODEL, part("stream", b"maybe")), FORM, "'stream' is wrong"),
        (form(*([part("x", b"y")] * 1001)), FORM, "more than 1000 parts"),
        (form(b"--xyz\r\nno colon\r\n\r\n"), FORM, "not a valid form"),
    ],
)
def test_a_wrong_form_is_400_with_what_is_wrong(
    body: bytes, content_type: bytes, says: str
) -> None:
    with pytest.raises(ApiError) as refused:
        parse(body, content_type)
    assert refused.value.status == 400
    assert says in refused.value.message


def test_false_boundaries_are_counted_before_they_are_looked_at() -> None:
    body = b"--b\r\n\r\n" + b"\r\n--bx" * 100_000
    with pytest.raises(ApiError, match="more than 1000 parts"):
        read_fields(b"multipart/form-data; boundary=b", body, ("model",))
