"""What of an engine's answer reaches the client, chunk by chunk."""

import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from modelium.common.testing import FakeClock
from modelium.gateway.edge.call import Headers
from modelium.gateway.edge.client import Client
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.engines.relay import MAX_WHOLE_BYTES, Passage, relay
from modelium.gateway.engines.tokens import Tokens
from modelium.gateway.engines.upstream import EngineGone

SSE: Headers = [(b"content-type", b"text/event-stream")]
JSON: Headers = [(b"content-type", b"application/json")]
DONE = b"data: [DONE]\n\n"


class FakeReply:
    """Gives these chunks; an exception among them is raised."""

    def __init__(self, status: int, headers: Headers, *chunks: bytes | EngineGone) -> None:
        self.status = status
        self.headers = headers
        self._chunks = list(chunks)

    async def read(self) -> bytes:
        chunk = self._chunks.pop(0) if self._chunks else b""
        if isinstance(chunk, EngineGone):
            raise chunk
        return chunk

    def close(self) -> None:
        pass


class Sent:
    """What a client received."""

    def __init__(self) -> None:
        self.events: list[MutableMapping[str, Any]] = []
        self.client = Client(self._send, "id-1", FakeClock())

    async def _send(self, event: MutableMapping[str, Any]) -> None:
        self.events.append(event)

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.events)

    @property
    def ended(self) -> bool:
        last = self.events[-1]
        return last["type"] == "http.response.body" and not last.get("more_body")


async def relayed(reply: FakeReply, sent: Sent, *, hide_usage: bool = False) -> Tokens:
    passage = Passage(ends_with=frozenset({b"[DONE]"}), hide_usage=hide_usage)
    await relay(reply, sent.client, passage)
    return passage.tokens


def chunk(reason: str | None, text: str = "t") -> bytes:
    value = {"choices": [{"delta": {"content": text}, "finish_reason": reason}]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


async def test_events_pass_as_soon_as_they_are_whole() -> None:
    sent = Sent()
    last = chunk("stop")
    await relayed(FakeReply(200, SSE, chunk(None), last[:20], last[20:] + DONE[:5], DONE[5:]), sent)
    assert [e["body"] for e in sent.events[1:]] == [chunk(None), last, DONE, b""]
    assert sent.ended


async def test_a_begun_event_is_not_passed_so_that_an_error_event_can_follow() -> None:
    sent = Sent()
    death = EngineGone("dead", reached=True)
    with pytest.raises(ApiError):
        await relayed(FakeReply(200, SSE, chunk(None) + chunk("stop")[:9], death), sent)
    assert sent.body == chunk(None)


async def test_usage_that_the_client_did_not_ask_for_is_read_and_hidden() -> None:
    sent = Sent()
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\n'
    reply = FakeReply(200, SSE, chunk(None), chunk("stop") + usage, DONE)
    assert await relayed(reply, sent, hide_usage=True) == Tokens(3, 5)
    assert sent.body == chunk(None) + chunk("stop") + DONE


async def test_usage_that_the_client_asked_for_passes() -> None:
    sent = Sent()
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\n'
    assert await relayed(FakeReply(200, SSE, chunk("stop"), usage + DONE), sent) == Tokens(3, 5)
    assert sent.body == chunk("stop") + usage + DONE


async def test_a_large_answer_passes_as_it_comes_and_its_usage_is_found_at_the_end() -> None:
    sent = Sent()
    parts = [b'{"data":"' + b"x" * MAX_WHOLE_BYTES + b'"', b',"usage":{"prompt_tokens": 7}}']
    assert await relayed(FakeReply(200, JSON, *parts), sent) == Tokens(prompt=7)
    assert sent.body == b"".join(parts)
    assert sent.ended


async def test_a_death_before_the_first_byte_is_left_to_the_caller() -> None:
    sent = Sent()
    with pytest.raises(EngineGone):
        await relayed(FakeReply(200, SSE, EngineGone("dead", reached=True)), sent)
    assert sent.body == b""


async def test_an_empty_stream_is_a_death_before_the_first_byte() -> None:
    with pytest.raises(EngineGone):
        await relayed(FakeReply(200, SSE), Sent())


async def test_a_death_later_is_an_error_for_the_client() -> None:
    sent = Sent()
    with pytest.raises(ApiError, match="in the middle"):
        await relayed(FakeReply(200, SSE, chunk(None), EngineGone("dead", reached=True)), sent)
    assert sent.body == chunk(None)


@pytest.mark.parametrize("spaced", [True, False])
@pytest.mark.parametrize("cut", [None, -30, -20, -10])
async def test_an_abort_is_an_error_however_it_is_cut_into_pieces(
    spaced: bool, cut: int | None
) -> None:
    sent = Sent()
    abort = chunk("abort") if spaced else chunk("abort").replace(b": ", b":")
    whole = abort + DONE
    pieces = [whole] if cut is None else [abort[:cut], abort[cut:] + DONE]
    with pytest.raises(ApiError, match="aborted"):
        await relayed(FakeReply(200, SSE, chunk(None), *pieces), sent)
    assert b"[DONE]" not in sent.body
    assert b'"abort"' not in sent.body


async def test_what_came_before_an_abort_in_the_same_piece_is_kept() -> None:
    sent = Sent()
    with pytest.raises(ApiError):
        await relayed(FakeReply(200, SSE, chunk(None, "kept") + chunk("abort") + DONE), sent)
    assert sent.body == chunk(None, "kept")


async def test_a_stream_that_is_only_an_abort_can_be_sent_again() -> None:
    with pytest.raises(EngineGone):
        await relayed(FakeReply(200, SSE, chunk("abort") + DONE), Sent())


async def test_a_stream_without_done_is_incomplete() -> None:
    with pytest.raises(ApiError, match="without its last event"):
        await relayed(FakeReply(200, SSE, chunk("stop")), Sent())


async def test_text_that_quotes_an_abort_passes() -> None:
    sent = Sent()
    said = chunk(None, '"finish_reason": "abort"')
    await relayed(FakeReply(200, SSE, said, DONE), sent)
    assert sent.body == said + DONE


async def test_a_refusal_reaches_a_stream_that_has_begun_as_an_error_event() -> None:
    sent = Sent()
    await sent.client.start_stream()
    await relayed(FakeReply(400, JSON, b'{"error":\n {"message": "too long"}}'), sent)
    assert sent.body == b'data: {"error": {"message": "too long"}}\n\n'
    assert sent.ended


async def test_an_answer_that_is_no_stream_is_told_as_an_error_in_one() -> None:
    sent = Sent()
    await sent.client.start_stream()
    await relayed(FakeReply(404, JSON, b'{"detail":"Not Found"}'), sent)
    assert json.loads(sent.body.removeprefix(b"data: "))["error"]["code"] == "backend_error"


async def test_a_whole_plain_answer_goes_out_in_one_piece() -> None:
    sent = Sent()
    await relayed(FakeReply(200, [*JSON, (b"content-length", b"2")], b"{}"), sent)
    assert [e["type"] for e in sent.events] == ["http.response.start", "http.response.body"]
    assert sent.ended


async def test_a_json_answer_that_breaks_off_can_be_sent_again() -> None:
    sent = Sent()
    with pytest.raises(EngineGone):
        await relayed(FakeReply(200, JSON, b"{", EngineGone("dead", reached=True)), sent)
    assert sent.events == []


async def test_any_other_answer_that_breaks_off_is_not_ended() -> None:
    sent = Sent()
    sound: Headers = [(b"content-type", b"audio/wav")]
    with pytest.raises(ApiError):
        await relayed(FakeReply(200, sound, b"RIFF", EngineGone("dead", reached=True)), sent)
    assert not sent.ended


@pytest.mark.parametrize(
    "text", [b"cannot schedule new futures after shutdown", b"EngineDeadError: see above"]
)
async def test_the_500_of_a_stopping_engine_is_no_answer(text: bytes) -> None:
    with pytest.raises(EngineGone):
        await relayed(FakeReply(500, JSON, text), Sent())


class Slow(FakeReply):
    """A comment is due while its body is waited for."""

    def __init__(self, sent: Sent, status: int, headers: Headers, *chunks: bytes) -> None:
        super().__init__(status, headers, *chunks)
        self._client = sent.client

    async def read(self) -> bytes:
        await self._client.comment()
        return await super().read()


@pytest.mark.parametrize("kind", [b"application/json", b"text/plain"])
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_comment_before_the_body_of_what_is_no_stream_breaks_nothing(
    kind: bytes, status: int
) -> None:
    sent = Sent()
    body = b'{"error": {"message": "no"}}'
    await relayed(Slow(sent, status, [(b"content-type", kind)], body[:9], body[9:]), sent)
    assert [event["type"] for event in sent.events].count("http.response.start") == 1
    assert sent.body.startswith(b": modelium state=")
    assert json.loads(sent.body.rsplit(b"data: ", 1)[1])["error"]
    assert sent.ended
