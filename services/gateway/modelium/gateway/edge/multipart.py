"""Finds the small fields of a form (multipart/form-data), and passes over its files.

The body goes on to the engine byte for byte; what is in a file is never copied.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from modelium.gateway.edge import errors_http as errors

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MAX_VALUE_BYTES: Final = 1024
_MAX_PARTS: Final = 1000


def read_fields(content_type: bytes, body: bytes, wanted: Collection[str]) -> dict[str, str]:
    """The wanted fields that are there; of one that is given twice the last, as engines do.

    A file is no field.

    Raises:
        ApiError: 400, it is no form, or a wanted value is too long or no text.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        text = "This route takes a form: content-type multipart/form-data with a boundary."
        raise errors.invalid_request(text)
    if body.count(b"--" + boundary) > _MAX_PARTS + 1:
        # Counted first: the parser takes half a microsecond for each that is none after all.
        raise errors.invalid_request(f"The form has more than {_MAX_PARTS} parts.")
    form = _Form(wanted)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(body)
    except FormParserError as error:
        raise errors.invalid_request(f"The body is not a valid form: {error}.") from error
    if not form.ended:
        text = "The body is not a valid form: its last boundary is missing."
        raise errors.invalid_request(text)
    return form.found


class _Form:
    """Collects what the parser calls out."""

    def __init__(self, wanted: Collection[str]) -> None:
        self.found: dict[str, str] = {}
        self.ended = False
        self._wanted = wanted
        self._begin()

    def callbacks(self) -> "MultipartCallbacks":
        """For the parser, by its names."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header_name,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _begin(self) -> None:
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._field: str | None = None
        self._value = bytearray()

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name in self._wanted and b"filename" not in options:
            self._field = name

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            return
        if len(self._value) + end - start > _MAX_VALUE_BYTES:
            text = f"The field {self._field!r} is longer than {_MAX_VALUE_BYTES} bytes."
            raise errors.invalid_request(text, param=self._field)
        self._value += data[start:end]

    def _on_part_end(self) -> None:
        if self._field is None:
            return
        try:
            self.found[self._field] = self._value.decode()
        except UnicodeDecodeError as error:
            text = f"The field {self._field!r} is not UTF-8."
            raise errors.invalid_request(text, param=self._field) from error

    def _on_end(self) -> None:
        self.ended = True
