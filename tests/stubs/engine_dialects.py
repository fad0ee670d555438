"""How the stand-in for a vLLM server words an answer on each route that generates text."""

import json
from typing import Any, Final


def event(value: object, name: str = "") -> bytes:
    """One event of a stream; `name` as vLLM gives to those that are not of the OpenAI chat kind."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


class Chat:
    """`/v1/chat/completions`: chunks, a usage chunk if asked for, and `[DONE]`."""

    kind = "chat.completion"
    budgets = ("max_completion_tokens", "max_tokens")

    def __init__(self, model: str) -> None:
        self.model = model

    def whole(self, text: str, reason: str, count: int) -> dict[str, Any]:
        """The answer in one piece."""
        choice = self._choice({"role": "assistant", "content": text}, "message", reason)
        return {**self._base(""), "choices": [choice], "usage": usage(count)}

    def opening(self) -> bytes:
        """What a stream begins with."""
        return b""

    def piece(self, text: str, reason: str | None) -> bytes:
        """One token."""
        choice = self._choice({"role": "assistant", "content": text}, "delta", reason)
        return event({**self._base(".chunk"), "choices": [choice]})

    def closing(self, text: str, reason: str, count: int, *, with_usage: bool) -> bytes:
        """What a stream ends with; `text` is the whole of it."""
        last = {**self._base(".chunk"), "choices": [], "usage": usage(count)}
        return (event(last) if with_usage else b"") + b"data: [DONE]\n\n"

    def _base(self, kind: str) -> dict[str, Any]:
        return {"id": "stub-1", "created": 0, "model": self.model, "object": self.kind + kind}

    def _choice(self, content: dict[str, str], member: str, reason: str | None) -> dict[str, Any]:
        return {"index": 0, "finish_reason": reason, member: content}


class Completion(Chat):
    """`/v1/completions`: chunks and answers have one form."""

    kind = "text_completion"

    def _base(self, kind: str) -> dict[str, Any]:
        return super()._base("")

    def _choice(self, content: dict[str, str], member: str, reason: str | None) -> dict[str, Any]:
        return {"index": 0, "finish_reason": reason, "text": content["content"]}


class Messages:
    """`/v1/messages`: named events, usage without being asked for, no `[DONE]`."""

    budgets = ("max_tokens",)

    def __init__(self, model: str) -> None:
        self.model = model

    def whole(self, text: str, reason: str, count: int) -> dict[str, Any]:
        """The answer in one piece."""
        content = [{"type": "text", "text": text}]
        return self._message(content, self._stop_reason(reason), count)

    def opening(self) -> bytes:
        """The message without content, and its first block."""
        block = {"type": "text", "text": ""}
        return _named(
            {"type": "message_start", "message": self._message([], None, 0)},
            {"type": "content_block_start", "index": 0, "content_block": block},
        )

    def piece(self, text: str, reason: str | None) -> bytes:
        """One token."""
        delta = {"type": "text_delta", "text": text}
        return _named({"type": "content_block_delta", "index": 0, "delta": delta})

    def closing(self, text: str, reason: str, count: int, *, with_usage: bool) -> bytes:
        """The end of the block and of the message."""
        delta = {"stop_reason": self._stop_reason(reason), "stop_sequence": None}
        tokens = {"input_tokens": 1, "output_tokens": count}
        return _named(
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": delta, "usage": tokens},
            {"type": "message_stop"},
        )

    def _message(
        self, content: list[dict[str, str]], reason: str | None, count: int
    ) -> dict[str, Any]:
        return {
            "id": "stub-1",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": count},
        }

    def _stop_reason(self, reason: str) -> str:
        return {"length": "max_tokens", "stop": "end_turn"}.get(reason, reason)


class Responses:
    """`/v1/responses`: named events that end with the whole answer, no `[DONE]`."""

    budgets = ("max_output_tokens",)

    def __init__(self, model: str) -> None:
        self.model = model
        self.number = 0

    def whole(self, text: str, reason: str, count: int) -> dict[str, Any]:
        """The answer in one piece."""
        tokens = {"input_tokens": 1, "output_tokens": count, "total_tokens": count + 1}
        return {**self._response("completed", [self._item(text)]), "usage": tokens}

    def opening(self) -> bytes:
        """The answer without content."""
        return self._event("response.created", response=self._response("in_progress", []))

    def piece(self, text: str, reason: str | None) -> bytes:
        """One token."""
        place = {"item_id": "item-1", "output_index": 0, "content_index": 0}
        return self._event("response.output_text.delta", delta=text, logprobs=[], **place)

    def closing(self, text: str, reason: str, count: int, *, with_usage: bool) -> bytes:
        """The whole answer again."""
        return self._event("response.completed", response=self.whole(text, reason, count))

    def _event(self, kind: str, **members: Any) -> bytes:
        self.number += 1
        return _named({"type": kind, "sequence_number": self.number - 1, **members})

    def _item(self, text: str) -> dict[str, Any]:
        part = {"type": "output_text", "text": text, "annotations": []}
        item = {"type": "message", "role": "assistant", "status": "completed", "content": [part]}
        return {"id": "item-1", **item}

    def _response(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        base = {"id": "stub-1", "object": "response", "created_at": 0, "model": self.model}
        settings = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
        return {**base, "status": status, "output": output, **settings}


Dialect = Chat | Messages | Responses

DIALECTS: Final[dict[str, type[Dialect]]] = {
    "/v1/chat/completions": Chat,
    "/v1/completions": Completion,
    "/v1/messages": Messages,
    "/v1/responses": Responses,
}


def usage(count: int) -> dict[str, int]:
    """The OpenAI usage object of an answer of `count` tokens."""
    return {"prompt_tokens": 1, "completion_tokens": count, "total_tokens": count + 1}


def _named(*values: dict[str, Any]) -> bytes:
    return b"".join(event(value, value["type"]) for value in values)
