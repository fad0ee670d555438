"""What a client says about waiting: `Prefer` (RFC 7240), its own deadline, and `keep_alive`.

Pure. What is wrong in a header is passed over, as the RFC says of preferences; what is wrong in
the body is an error.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.request import parse_http_list

from modelium.gateway.edge import errors_http as errors

PREFER: Final = b"prefer"
OWN_DEADLINE: Final = b"x-request-timeout"
CLIENT_DEADLINES: Final = frozenset({b"x-stainless-timeout", b"x-stainless-read-timeout"})
"""What the official clients of OpenAI and Anthropic send: how long they wait for a first byte."""

_MAX_WAIT_DIGITS: Final = 9
_MAX_DURATION_CHARS: Final = 64
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNIT_S: Final = {
    **{"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3},
    **{"s": 1.0, "m": 60.0, "h": 3600.0},
}


@dataclass(frozen=True, slots=True)
class Preferences:
    """Seconds, counted from when the request has come; None: it says nothing.

    With `respond_async`, a request whose model is not loaded is answered 202: at once, or after
    `wait_s`.
    """

    wait_s: float | None = None
    respond_async: bool = False
    deadline_s: float | None = None
    """After this the client has gone."""
    keep_alive_s: float | None = None
    """How long the model is wanted after this request; `math.inf`: for ever."""


NO_PREFERENCES: Final = Preferences()


def read_preferences(
    headers: Iterable[tuple[bytes, bytes]], keep_alive: float | str | None, *, stream: bool
) -> Preferences:
    """The preferences in these headers, and in the body's member `keep_alive`.

    Raises:
        ApiError: 400, `keep_alive` cannot be understood.
    """
    prefer: list[str] = []
    deadlines: list[float] = []
    for name, value in headers:
        text = str(value, "latin-1")
        if name == PREFER:
            prefer.append(text)
        # A stream gets signs of life, after which these clients no longer look at the time.
        elif name == OWN_DEADLINE or (name in CLIENT_DEADLINES and not stream):
            deadlines += _seconds(text)
    keep_alive_s = None if keep_alive is None else _keep_alive(keep_alive)
    if not prefer and not deadlines and keep_alive_s is None:
        return NO_PREFERENCES
    wait_s, respond_async = _prefer(", ".join(prefer)) if prefer else (None, False)
    return Preferences(wait_s, respond_async, min(deadlines, default=None), keep_alive_s)


def applied(preferences: Preferences, *, answered_async: bool) -> list[tuple[bytes, bytes]]:
    """The header that tells which preferences an answer has honoured, if any."""
    parts = [b"respond-async"] if answered_async else []
    if preferences.wait_s is not None:
        parts.append(b"wait=%d" % preferences.wait_s)
    return [(b"preference-applied", b", ".join(parts))] if parts else []


def _seconds(text: str) -> list[float]:
    try:
        seconds = float(text)
    except ValueError:
        return []
    return [seconds] if 0 < seconds < math.inf else []


def _prefer(text: str) -> tuple[float | None, bool]:
    """`wait` and `respond-async`; of a preference that is given twice, the first counts."""
    found: dict[str, str] = {}
    for preference in parse_http_list(text):
        # Neither of ours has parameters that mean anything.
        name, _, value = preference.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    wait = found.get("wait", "")
    is_count = wait.isascii() and wait.isdigit() and len(wait) <= _MAX_WAIT_DIGITS
    return float(wait) if is_count else None, "respond-async" in found


def _keep_alive(value: float | str) -> float:
    """Seconds of a number, or of a duration as Go writes it; negative: for ever."""
    seconds = _duration(value.strip()) if isinstance(value, str) else float(value)
    if seconds is None or math.isnan(seconds):
        text = (
            "The member 'keep_alive' must be a number of seconds or a duration such as '5m' or "
            f"'1h30m' (0: unload at once, -1: never), not {value!r:.64}."
        )
        raise errors.invalid_request(text, param="keep_alive")
    return math.inf if seconds < 0 else seconds


def _duration(text: str) -> float | None:
    if len(text) > _MAX_DURATION_CHARS:
        return None
    number = text.removeprefix("-").removeprefix("+")
    sign = -1.0 if text.startswith("-") else 1.0
    if re.fullmatch(r"\d+(\.\d*)?", number):
        return sign * float(number)
    parts = _DURATION.findall(number)
    if not parts or "".join(count + unit for count, unit in parts) != number:
        return None
    return sign * sum(float(count) * _UNIT_S[unit] for count, unit in parts)
