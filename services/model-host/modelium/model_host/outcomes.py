"""Calls whose failure is a value.

Libraries that run models raise anything, and have no class of error in common. What comes of a
load, a canary or a run is therefore taken from its future, as a result or as an exception.
"""

from collections.abc import Callable
from concurrent.futures import Executor, wait
from typing import TypeVar

from modelium.model_host.errors import CannotLoad, first_line

T = TypeVar("T")


def call(executor: Executor, function: Callable[[], T]) -> T | BaseException:
    """What the function returned or raised on the executor; blocks until then."""
    running = executor.submit(function)
    wait([running])
    return running.exception() or running.result()


def reason(error: BaseException) -> str:
    """Why a model cannot be served, on one line."""
    return str(error) if isinstance(error, CannotLoad) else first_line(error)
