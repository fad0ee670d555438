"""What an answer says of itself, in every dialect engines speak: tokens, type, giving up; pure.

Asking for it: a chat or completion stream tells its usage only if the request says
`stream_options.include_usage`; `asking_for_usage` says so where the client did not, and `sse.py`
takes the event out of the answer again.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

import msgspec

_PROMPT: Final = re.compile(rb'"(?:prompt|input)_tokens":\s*(\d{1,12})')
_COMPLETION: Final = re.compile(rb'"(?:completion|output)_tokens":\s*(\d{1,12})')
_OPTIONS: Final = b',"stream_options":'
_ASK: Final = b'"include_usage":true'
_NOT_IN_EACH: Final = b',"continuous_usage_stats":false'
"""Of no account without `include_usage`; with it vLLM would write usage into every event."""
_SPACE: Final = b" \t\r\n"
_BYTES_PER_TOKEN: Final = 4
_MOST: Final = 2**31
"""No answer takes more; an engine that says so, or less than nothing, is not believed."""


@dataclass(slots=True)
class Tokens:
    """What one request took as far as its answer has said; None: it has not."""

    prompt: int | None = None
    completion: int | None = None


def estimated_prompt(body_bytes: int, context_length: int) -> int:
    """The tokens of a prompt that nobody has counted, by the JSON body it came in.

    At most `context_length`, which is 0 where it is not known: no engine begins with more, and an
    image in a body is far more bytes than tokens.
    """
    tokens = body_bytes // _BYTES_PER_TOKEN
    return min(tokens, context_length) if context_length else tokens


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Ending(msgspec.Struct):
    """How an answer or an event says that it ends: OpenAI's choices, Anthropic's reasons."""

    choices: list[_Choice] | None = None
    stop_reason: str | None = None
    delta: _Delta | str | None = None


class _Inner(msgspec.Struct):
    usage: _Usage | None = None


class _Answer(msgspec.Struct):
    """An answer or an event: OpenAI's own, `response.completed`'s, Anthropic's `message_start`."""

    usage: _Usage | None = None
    response: _Inner | None = None
    message: _Inner | str | None = None
    choices: list[msgspec.Raw] | None = None


class _Typed(msgspec.Struct):
    type: str = ""


_typed: Final = msgspec.json.Decoder(_Typed)
_answers: Final = msgspec.json.Decoder(_Answer)
_endings: Final = msgspec.json.Decoder(_Ending)
_ABORT: Final = "abort"


def says_aborted(answer: bytes) -> bool:
    """Whether one JSON object says that the engine gave up.

    Only where engines say it: the same words elsewhere are a client's, which engines repeat.
    """
    try:
        found = _endings.decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    if isinstance(found.delta, _Delta) and found.delta.stop_reason == _ABORT:
        return True
    if found.stop_reason == _ABORT:
        return True
    return any(choice.finish_reason == _ABORT for choice in found.choices or ())


def type_of(event: bytes) -> bytes:
    """The `type` of an event that is one JSON object; empty: it has none."""
    try:
        return _typed.decode(event).type.encode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return b""


def read_usage(answer: bytes, tokens: Tokens) -> bool:
    """Take over the usage in one JSON object; whether it is an event of nothing but usage."""
    try:
        found = _answers.decode(answer)
        usage = found.usage or _below(found)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    if usage is None:
        return False
    _take_over(usage, tokens)
    return found.choices == [] and found.usage is not None


def _below(found: _Answer) -> _Usage | None:
    inner = found.response or found.message
    return inner.usage if isinstance(inner, _Inner) else None


def _take_over(usage: _Usage, tokens: Tokens) -> None:
    _say(
        tokens,
        usage.prompt_tokens if usage.prompt_tokens is not None else usage.input_tokens,
        usage.completion_tokens if usage.completion_tokens is not None else usage.output_tokens,
    )


def _say(tokens: Tokens, prompt: int | None, completion: int | None) -> None:
    if prompt is not None and 0 <= prompt <= _MOST:
        tokens.prompt = prompt
    if completion is not None and 0 <= completion <= _MOST:
        tokens.completion = completion


def read_usage_at_the_end(tail: bytes, tokens: Tokens) -> None:
    """Take over the usage from the last bytes of an answer that is too large to be decoded."""
    at = tail.rfind(b'"usage"')
    if at < 0:
        return
    prompt, completion = _PROMPT.search(tail, at), _COMPLETION.search(tail, at)
    _say(tokens, prompt and int(prompt[1]), completion and int(completion[1]))


class _Asked(msgspec.Struct):
    stream_options: msgspec.Raw


_asked: Final = msgspec.json.Decoder(_Asked)


def asking_for_usage(body: bytes, *, has_options: bool) -> bytes | None:
    """The JSON object `body`, which also asks for usage; its other bytes stay as they are.

    The member is added at the end, `has_options`: with all that the client's own one says. Of two
    members of one name every JSON reader that engines use takes the last. None: it is not written
    in UTF-8.
    """
    if not (body.lstrip(_SPACE).startswith(b"{") and body.rstrip(_SPACE).endswith(b"}")):
        return None
    end = body.rindex(b"}")
    options = _also_asking(_options_in(body)) if has_options else b"{" + _ASK + b"}"
    return body[:end] + _OPTIONS + options + body[end:]


def _options_in(body: bytes) -> bytes:
    """As they are written, where msgspec reads the body; else as the engines' parser reads them."""
    try:
        return bytes(_asked.decode(body).stream_options)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return json.dumps(json.loads(body)["stream_options"]).encode()


def _also_asking(options: bytes) -> bytes:
    inside = options.strip(_SPACE)[1:-1].rstrip(_SPACE)
    ask = _ASK + _NOT_IN_EACH if b"continuous_usage_stats" in inside else _ASK
    return b"{" + inside + (b"," if inside.strip(_SPACE) else b"") + ask + b"}"
