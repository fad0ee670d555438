"""What the gateway reads of a body: a handful of members, of JSON or of a form.

All else is passed over without being decoded. Of a member that is given twice the last counts, in
JSON and in forms, because it does so for the engines.
"""

import json
import re
from typing import Any, Final

import msgspec

from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.multipart import read_fields


class StreamOptions(msgspec.Struct):
    """See OpenAI's `stream_options`."""

    include_usage: bool | None = None


class Members(msgspec.Struct):
    """The members that are read; `model` is never empty."""

    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    keep_alive: float | str | None = None


LENIENT_BYTES: Final = 1 << 20
"""What msgspec refuses is tried with the engines' own parser up to this: it takes 50 times longer,
and everybody waits meanwhile."""
_decode: Final = msgspec.json.Decoder(Members).decode
_decode_raw: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_WRONG_MEMBER: Final = re.compile(r"(.*) - at `\$\.(.+)`")
_TRUE: Final = frozenset({"true", "1", "on", "yes", "t", "y"})
_FALSE: Final = frozenset({"", "false", "0", "off", "no", "f", "n"})


def read_json(body: bytes) -> Members:
    """The members of a JSON object.

    Raises:
        ApiError: 400 that says where the body is wrong, or which member.
    """
    try:
        members = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if len(body) > LENIENT_BYTES:
            raise _wrong(error) from error
        members = _read_leniently(body)
    if not members.model:
        raise _no_model("a string in the member 'model'")
    return members


def _read_leniently(body: bytes) -> Members:
    """What the engines' own parser makes of it: it takes NaN and half surrogates, for example."""
    value = parse_object(body)
    try:
        return msgspec.convert(value, Members)
    except msgspec.ValidationError as error:
        raise _wrong(error) from error


def _wrong(error: Exception) -> errors.ApiError:
    found = _WRONG_MEMBER.fullmatch(str(error))
    if found is None:
        return errors.invalid_request(f"The body is not valid JSON: {error}.")
    text = f"The member {found[2]!r} is wrong: {found[1].lower()}."
    return errors.invalid_request(text, param=found[2])


def read_raw(body: bytes) -> dict[str, bytes]:
    """The members of a JSON object, each as it is written.

    Raises:
        ApiError: 400 that says where it is wrong.
    """
    try:
        return {name: bytes(raw) for name, raw in _decode_raw(body).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if len(body) > LENIENT_BYTES:
            raise _wrong(error) from error
    return {name: json.dumps(value).encode() for name, value in parse_object(body).items()}


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises:
        ApiError: 400 that says where it is wrong.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.invalid_request(f"The body is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise errors.invalid_request("The body must be a JSON object.")
    return value


def read_form(content_type: bytes, body: bytes) -> Members:
    """The members among the fields of a form.

    Raises:
        ApiError: 400.
    """
    fields = read_fields(content_type, body, ("model", "stream", "keep_alive"))
    if not fields.get("model"):
        raise _no_model("the field 'model' of the form")
    said = fields.get("stream", "").lower()
    if said not in _TRUE | _FALSE:
        text = f"The field 'stream' is wrong: expected true or false, got {said!r:.32}."
        raise errors.invalid_request(text, param="stream")
    return Members(model=fields["model"], stream=said in _TRUE, keep_alive=fields.get("keep_alive"))


def _no_model(where: str) -> errors.ApiError:
    return errors.invalid_request(f"The body must name the model: {where}.", param="model")
