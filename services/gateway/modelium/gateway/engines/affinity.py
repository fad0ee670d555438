"""What a request's prompt has in common with earlier ones, so that it meets a warm cache.

Only asked for models with several instances, because it reads the body. A session (`x-session-id`,
or what the API's own fields call it) always belongs to one instance. Without one, the prompt is cut
into blocks, each named by a hash of itself and all before it; a bounded memory knows which instance
was sent each block last. If that covers half of the prompt, its instance is preferred; what is
shared by everybody, like a system prompt, should not bring everybody to one instance.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from pydantic_core import from_json, to_json

from modelium.gateway.edge.call import Call
from modelium.gateway.engines.balancing import home_of

MAX_PARSED_BYTES: Final = 1 << 20
"""Of a larger body only the raw beginning is looked at."""
BLOCK_BYTES: Final = 512
MAX_BLOCKS: Final = 64
MAX_REMEMBERED: Final = 1 << 16
"""Blocks, of all models together: some 10 MB."""
_SESSION_FIELDS: Final = ("prompt_cache_key", "user")
_PROMPT_FIELDS: Final = ("system", "instructions", "tools", "messages", "prompt", "input")
"""In the order in which templates put them."""


class Affinity:
    """Remembers which instance has seen what."""

    def __init__(self, max_blocks: int = MAX_REMEMBERED) -> None:
        self._max_blocks = max_blocks
        self._seen: OrderedDict[int, int] = OrderedDict()

    def preferred(self, call: Call, generations: Sequence[int]) -> tuple[int | None, list[int]]:
        """The generation to prefer, if any, and the prompt's blocks for `sent`."""
        body = _parsed(call)
        session = _session(call, body)
        if session is not None:
            return home_of(session, generations), []
        blocks = list(_blocks(call.model, _prompt(call, body)))
        return self._warm(blocks, generations), blocks

    def sent(self, blocks: Sequence[int], generation: int) -> None:
        """A prompt of these blocks goes to this instance."""
        for block in blocks:
            self._seen[block] = generation
            self._seen.move_to_end(block)
        while len(self._seen) > self._max_blocks:
            self._seen.popitem(last=False)

    def _warm(self, blocks: Sequence[int], generations: Sequence[int]) -> int | None:
        """By the longest known beginning, if that is half of it all."""
        for block in reversed(blocks[(len(blocks) - 1) // 2 :]):
            generation = self._seen.get(block)
            if generation in generations:
                return generation
        return None

    def __len__(self) -> int:
        return len(self._seen)


def _parsed(call: Call) -> dict[str, Any]:
    if len(call.body) > MAX_PARSED_BYTES:
        return {}
    try:
        value = from_json(call.body)
    except ValueError:
        return {}  # not JSON, as an audio file
    return value if isinstance(value, dict) else {}


def _session(call: Call, body: dict[str, Any]) -> bytes | None:
    for name, value in call.headers:
        if name == b"x-session-id" and value:
            return value
    metadata = body.get("metadata")
    inside = metadata.get("user_id") if isinstance(metadata, dict) else None
    for known in (*(body.get(name) for name in _SESSION_FIELDS), inside):
        if isinstance(known, str) and known:
            return known.encode("utf-8", "surrogatepass")
    return None


def _prompt(call: Call, body: dict[str, Any]) -> bytes:
    """The beginning of what the engine will read."""
    bound = BLOCK_BYTES * MAX_BLOCKS
    if not body:
        return call.body[:bound]
    prompt = bytearray()
    for part in _parts(body):
        prompt += to_json(part)
        if len(prompt) >= bound:
            break
    return bytes(prompt[:bound])


def _parts(body: dict[str, Any]) -> Iterator[Any]:
    for name in _PROMPT_FIELDS:
        value = body.get(name)
        if isinstance(value, list):
            yield from value
        elif value is not None:
            yield value


def _blocks(model: str, prompt: bytes) -> Iterator[int]:
    """A beginning that is no whole block has no name."""
    name = hash(model)
    for start, end in pairwise(range(0, len(prompt) + 1, BLOCK_BYTES)):
        name = hash((name, prompt[start:end]))
        yield name
