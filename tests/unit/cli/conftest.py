"""Commands set up the logging of their process: here it is that of all tests."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What a command does to structlog ends with its test."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
