"""What is written to a log."""

import logging

import pytest
import structlog

from modelium.common import logs
from modelium.common.settings import Logging


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_values(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They may be prompts or keys."""
    handlers = list(logging.getLogger().handlers)
    logs.configure(Logging.model_validate({"format": form}), service="test", instance="test-1")
    try:
        answer_with("-".join(["my", "prompt"]))
    except ZeroDivisionError:
        structlog.get_logger().exception("it.failed")
    finally:
        logging.getLogger().handlers = handlers
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    written = "".join(capsys.readouterr())
    assert "ZeroDivisionError" in written and "answer_with" in written
    assert "my-prompt" not in written


def answer_with(prompt: str) -> float:
    kept = {"prompt": prompt}
    return len(kept) / 0
