"""Looks at the events of a stream on their way to the client; pure.

Only whole events are passed on, so that an error event can follow at any time. An event that says
that the engine aborted is never passed on.

Where we have asked for the usage and the client has not, the event that tells it is hidden. vLLM
then says its fingerprint in that event, which it would otherwise say in those with a finish reason,
so these are given it again. It is the same as long as the engine runs: only the first stream of an
engine has to keep the events that finish until the usage comes.

An event ends with an empty line, after LF or CRLF. Lines that end with CR alone, which the format
allows and no engine here writes, are passed on when the stream ends or 256 KiB have come.
"""

import re
from collections.abc import Iterator
from typing import Final

from modelium.gateway.engines.tokens import Tokens, read_usage, says_aborted, type_of

MAX_HELD_BYTES: Final = 256 * 1024
"""An event that is larger is passed on in parts, and not looked at."""
ABORTED: Final = re.compile(rb'"(?:finish|stop)_reason"\s*:\s*"abort"')
"""May stand in what a client wrote as well: `tokens.says_aborted` looks where it stands."""
_REASON: Final = re.compile(rb'_reason"\s*:\s*"')
"""In every event that tells how an answer ended."""
_FINISHED: Final = re.compile(rb'"finish_reason"\s*:\s*"')
_FINGERPRINT: Final = re.compile(rb'"system_fingerprint":\s*"[^"\\]*"')
_ENDS: Final = (b"\n\n", b"\n\r\n")
_END: Final = re.compile(rb"\n\r?\n")


class StreamTap:
    """One stream. `tokens` grows; `aborted` is set when the engine gave up."""

    __slots__ = (
        "_final",
        "_held",
        "_hide_usage",
        "aborted",
        "events",
        "fingerprint",
        "in_parts",
        "last",
        "tokens",
    )

    def __init__(
        self, tokens: Tokens, *, hide_usage: bool, fingerprint: bytes | None = None
    ) -> None:
        self._held = b""
        self.in_parts = False
        """Whether an event has been passed on that had not ended."""
        self._hide_usage = hide_usage
        self._final: list[bytes] = []
        """Events with a finish reason, until the usage tells the fingerprint."""
        self.fingerprint = fingerprint
        """The member as the engine writes it; empty: it has none; None: not known yet."""
        self.tokens = tokens
        self.aborted = False
        self.events = 0
        """That were passed on: about as many as tokens, where nobody says how many."""
        self.last = b""
        """What was passed on last, but for comments alone."""

    def feed(self, chunk: bytes) -> bytes:
        """What to pass on now that `chunk` has come; perhaps nothing."""
        text = self._held + chunk if self._held else chunk
        if text.endswith(_ENDS):
            self._held, self.in_parts = b"", False
        else:
            text = self._without_rest(text)
        usage, ending = text.find(b'"usage"'), _REASON.search(text)
        if usage >= 0 or ending or self._final:
            text = self._inspected_from(text, usage, ending.start() if ending else -1)
        events = text.count(b"data:")
        if events:
            self.events += events
            self.last = text
        return text

    def rest(self) -> bytes:
        """What to pass on at the proper end."""
        rest, self._held = self._released() + self._held, b""
        if rest:
            self.last = rest
        return rest

    def ended(self, last: frozenset[bytes]) -> bool:
        """Whether the event that was passed on last is one with which a stream ends.

        `last` are their names; empty: nobody knows, and every end is proper.
        """
        if not last:
            return True
        return not self.in_parts and not last.isdisjoint(_names_of(_last_event(self.last)))

    def _without_rest(self, text: bytes) -> bytes:
        end = _begin_of_event(text, len(text))
        self.in_parts = self.in_parts and not end
        if len(text) - end > MAX_HELD_BYTES:
            self._held, self.in_parts = b"", True
            return text
        self._held = text[end:]
        return text[:end]

    def _inspected_from(self, text: bytes, *marks: int) -> bytes:
        """Take apart what begins with the first mark: hundreds of events may be before it."""
        found = [mark for mark in marks if mark >= 0]
        begin = 0 if self._final or not found else _begin_of_event(text, min(found))
        return text[:begin] + self._inspected(text[begin:])

    def _inspected(self, text: bytes) -> bytes:
        passed: list[bytes] = []
        for event in _events(text):
            if ABORTED.search(event) and says_aborted(_data(event)):
                self.aborted = True
                break
            usage_only = b'"usage"' in event and read_usage(_data(event), self.tokens)
            if not self._hide_usage:
                passed.append(event)
            elif usage_only:
                self._learn(event)
                passed.append(self._released())
            elif _is_final(event) and self.fingerprint is None:
                self._final.append(event)
            elif event:
                passed.append(self._released() + self._stamped(event))
        return b"".join(passed)

    def _learn(self, usage: bytes) -> None:
        found = _FINGERPRINT.search(usage)
        self.fingerprint = found[0] if found else b""

    def _released(self) -> bytes:
        """The kept events: nothing that comes now may wait for them."""
        final, self._final = self._final, []
        return b"".join(map(self._stamped, final))

    def _stamped(self, event: bytes) -> bytes:
        """The event with the fingerprint in its object, if it finishes and has none."""
        end = event.rfind(b"}")
        if not self.fingerprint or self.in_parts or end < 0 or not _is_final(event):
            return event
        if b'"system_fingerprint"' in event:
            return event
        return event[:end] + b"," + self.fingerprint + event[end:]


def _begin_of_event(text: bytes, at: int) -> int:
    """Where the event begins that this position is in, or that ends there."""
    end = max(text.rfind(b"\n\n", 0, at) + 2, text.rfind(b"\n\r\n", 0, at) + 3)
    return 0 if end < 4 else end


def _events(text: bytes) -> Iterator[bytes]:
    """The events of this text, the last one perhaps empty."""
    begin = 0
    for end in _END.finditer(text):
        yield text[begin : end.end()]
        begin = end.end()
    yield text[begin:]


def _data(event: bytes) -> bytes:
    """The data of an event, of which JSON may lie over several lines."""
    return b"\n".join(line[5:] for line in event.splitlines() if line.startswith(b"data:"))


def _is_final(text: bytes) -> bool:
    return _FINISHED.search(text) is not None


def _last_event(text: bytes) -> bytes:
    """The last one that is not a comment alone."""
    begin = len(text)
    event = b""
    while begin and b"data:" not in event and b"event:" not in event:
        rest = text[:begin].rstrip(b"\r\n")
        begin = _begin_of_event(rest, len(rest))
        event = rest[begin:]
    return event


def _names_of(event: bytes) -> Iterator[bytes]:
    """What an event is called: by its `event:` line, its data as a whole, or its data's `type`."""
    for line in event.splitlines():
        if line.startswith(b"event:"):
            yield line[6:].strip()
    data = _data(event).strip()
    yield data
    yield type_of(data)
