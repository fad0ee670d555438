"""Ends the work for a client that has gone away.

The server says so by a call (`http_protocol.py`), so that no task has to wait for it beside each
request.
"""

import asyncio
from types import TracebackType
from typing import Any

from modelium.common.http_exchange import GONE_EXTENSION
from modelium.gateway.edge.body import ClientGone
from modelium.gateway.edge.call import Scope


class EndedWhenGone:
    """A block that ends at once, without an error, when the client of `scope` goes away, or `end`
    is called.

    Whatever it awaits is cancelled. An `asyncio.CancelledError` that has another cause passes.
    Entering it raises `ClientGone` if the client is gone already: a cancelled task goes on until it
    waits, and by then an engine might have the request.
    """

    __slots__ = ("_inside", "_task", "ended", "gone")

    def __init__(self, scope: Scope) -> None:
        self.gone = False
        self.ended = False
        """Whether somebody else than the client wanted it to end."""
        self._inside = False
        self._task: asyncio.Task[Any] | None = None
        scope["extensions"][GONE_EXTENSION](self._on_gone)

    def __enter__(self) -> "EndedWhenGone":
        if self.gone:
            raise ClientGone("it left before its turn came")
        self._task = asyncio.current_task()
        self._inside = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        self._inside = False
        meant = (self.gone or self.ended) and kind is asyncio.CancelledError
        if not meant or self._task is None:
            return False
        return self._task.uncancel() == 0

    def _on_gone(self) -> None:
        self.gone = True
        self._cancel()

    def end(self) -> None:
        """End the block as if its client had gone."""
        self.ended = True
        self._cancel()

    def _cancel(self) -> None:
        if self._inside and self._task is not None:
            self._task.cancel()
