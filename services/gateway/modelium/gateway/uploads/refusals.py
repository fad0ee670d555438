"""How uploads that cannot be are refused: what each error of theirs is over HTTP."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from modelium.gateway.edge.api_error import ApiError
from modelium.gateway.uploads.files import InTheWay, Locked, NoRoom, NoSuchUpload
from modelium.gateway.uploads.names import BadUpload

VERSION: Final = "1.0.0"
"""Of tus; every answer says it."""

log = structlog.get_logger()


@contextmanager
def told_errors() -> Iterator[None]:
    """Say what is wrong as the interface does."""
    try:
        yield
    except BadUpload as wrong:
        raise refusal(400, "invalid_request", f"{wrong}.", param=wrong.param) from wrong
    except NoSuchUpload as wrong:
        raise refusal(404, "not_found", _sentence(wrong)) from wrong
    except InTheWay as wrong:
        raise refusal(409, "upload_conflict", _sentence(wrong)) from wrong
    except Locked as wrong:
        raise refusal(423, "upload_locked", _sentence(wrong)) from wrong
    except NoRoom as wrong:
        raise refusal(507, "no_room", _sentence(wrong)) from wrong
    except OSError as wrong:
        full = wrong.errno in (errno.ENOSPC, errno.EDQUOT)
        text = f"gateway.uploads.directory cannot be written ({wrong.strerror})."
        log.warning("upload.not_written", reason=str(wrong))
        status, code = (507, "no_room") if full else (503, "service_unavailable")
        raise refusal(status, code, text) from wrong


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def refusal(
    status: int, code: str, text: str, *headers: tuple[bytes, bytes], param: str | None = None
) -> ApiError:
    """The error with what tus wants of every answer."""
    kind = "service_unavailable" if status >= 500 else "invalid_request_error"
    more = ((b"tus-resumable", VERSION.encode()), *headers)
    return ApiError(status, code, kind, text, param=param, more_headers=more)
