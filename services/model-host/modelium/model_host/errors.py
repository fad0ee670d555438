"""What the host refuses or fails at.

HostError                 a request's end, with its status
├── InvalidInput          400: the request is wrong, and says what was expected
├── NotFound              404: another model, or no such route
├── TooLarge              413: a body or an image beyond its limit
├── UnsupportedMedia      415: a content type that nothing here reads
├── InferenceFailed       500: the model failed on inputs that fit its signature
└── Unavailable           503: not loaded, draining, no memory, or too many requests wait
CannotLoad                the model cannot be served; its text is one line
"""

from typing import ClassVar


class HostError(Exception):
    """The end of a request: a status, and a text for its caller."""

    status: ClassVar[int] = 500


class InvalidInput(HostError):
    """The request is wrong."""

    status = 400


class NotFound(HostError):
    """There is no such model or route."""

    status = 404


class TooLarge(HostError):
    """A body or an image is beyond its limit."""

    status = 413


class UnsupportedMedia(HostError):
    """A content type that nothing here reads."""

    status = 415


class InferenceFailed(HostError):
    """The model failed."""


class Unavailable(HostError):
    """Try again later, or elsewhere."""

    status = 503


class CannotLoad(Exception):
    """The model cannot be served."""


def first_line(error: BaseException) -> str:
    """What an error of a library says, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
