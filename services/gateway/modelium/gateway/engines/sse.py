"""Looks at the events of a stream on their way to the client; pure.

Only whole events are passed on, so that an error event can follow at any time. An event that says
that the engine aborted is never passed on.

Where we have asked for the usage and the client has not, the event that tells it is hidden. vLLM
then says its fingerprint in that event, which it would otherwise say in the one with the finish
reason: so that one is kept until the usage comes, and is given the fingerprint again.
"""

import re
from typing import Final

from modelium.gateway.engines.tokens import Tokens, read_usage

MAX_HELD_BYTES: Final = 256 * 1024
"""An event that is larger is passed on in parts, and not looked at."""
ABORTED: Final = re.compile(rb'"(?:finish|stop)_reason":\s*"abort"')
# In a string of the answer itself every quote is escaped, so the pattern cannot match there.
_ENDS: Final = (b"\n\n", b"\n\r\n")
_FINISHED: Final = (b'"finish_reason":"', b'"finish_reason": "')
_FINGERPRINT: Final = re.compile(rb'"system_fingerprint":\s*"[^"\\]*"')
_EVENTS: Final = re.compile(rb"(?<=\n\n)|(?<=\n\r\n)")


class StreamTap:
    """One stream. `tokens` grows; `aborted` is set when the engine gave up."""

    __slots__ = (
        "_final",
        "_held",
        "_hide_usage",
        "_in_parts",
        "aborted",
        "events",
        "last",
        "tokens",
    )

    def __init__(self, tokens: Tokens, *, hide_usage: bool) -> None:
        self._held = b""
        self._in_parts = False
        """Whether the last event was too large to be seen as a whole."""
        self._hide_usage = hide_usage
        self._final: list[bytes] = []
        """Events from the first finish reason on, until the usage comes."""
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
            self._held, self._in_parts = b"", False
        else:
            text = self._without_rest(text)
        if b'"usage"' in text or b"abort" in text or (self._hide_usage and self._ends(text)):
            text = self._inspected(text)
        if text:
            self.events += text.count(b"\n\n")
            if b"data:" in text:
                self.last = text
        return text

    def rest(self) -> bytes:
        """What to pass on at the proper end."""
        rest, self._held = self._released(b"") + self._held, b""
        if rest:
            self.last = rest
        return rest

    def ended(self, marks: tuple[bytes, ...]) -> bool:
        """Whether what was passed on last has one of these marks of a last event."""
        return not marks or self._in_parts or any(mark in self.last for mark in marks)

    def _without_rest(self, text: bytes) -> bytes:
        end = max(text.rfind(b"\n\n") + 2, text.rfind(b"\n\r\n") + 3)
        end = 0 if end < 4 else end
        if len(text) - end > MAX_HELD_BYTES:
            self._held, self._in_parts = b"", True
            return text
        self._held = text[end:]
        return text[:end]

    def _ends(self, text: bytes) -> bool:
        return bool(self._final) or _is_final(text)

    def _inspected(self, text: bytes) -> bytes:
        passed = []
        for event in _EVENTS.split(text):
            if ABORTED.search(event):
                self.aborted = True
                break
            if b'"usage"' in event and self._is_usage_only(event) and self._hide_usage:
                passed.append(self._released(event))
            elif not self._hide_usage:
                passed.append(event)
            elif b"[DONE]" in event:
                passed.append(self._released(b"") + event)
            elif event and self._ends(event):
                self._final.append(event)
            else:
                passed.append(event)
        return b"".join(passed)

    def _released(self, usage: bytes) -> bytes:
        """The kept events, those that finish with the fingerprint that stands in `usage`."""
        final, self._final = self._final, []
        if found := _FINGERPRINT.search(usage):
            final = [_stamped(event, found[0]) for event in final]
        return b"".join(final)

    def _is_usage_only(self, event: bytes) -> bool:
        data = b"\n".join(line[5:] for line in event.splitlines() if line.startswith(b"data:"))
        return read_usage(data, self.tokens)


def _is_final(text: bytes) -> bool:
    # Spelled out: this is asked for every event.
    return _FINISHED[0] in text or _FINISHED[1] in text


def _stamped(event: bytes, fingerprint: bytes) -> bytes:
    """The event with one more member in its object, if it finishes and has none."""
    end = event.rfind(b"}")
    if end < 0 or b'"system_fingerprint"' in event or not _is_final(event):
        return event
    return event[:end] + b"," + fingerprint + event[end:]
