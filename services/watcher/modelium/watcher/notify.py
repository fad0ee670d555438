"""Says at once when something changes below the watch directories, by the kernel's file events.

Only a hint to look: `watch.py` looks by itself as well, so a lost event costs time, nothing else.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Final

import structlog
from watchdog import events as wd
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

log = structlog.get_logger()

# Without opening and closing: our own reading must not wake us.
_CHANGES: Final[list[type[wd.FileSystemEvent]]] = [
    wd.FileCreatedEvent,
    wd.FileModifiedEvent,
    wd.FileMovedEvent,
    wd.FileDeletedEvent,
    wd.FileClosedEvent,
    wd.FileAttribEvent,
    wd.DirCreatedEvent,
    wd.DirMovedEvent,
    wd.DirDeletedEvent,
    wd.DirAttribEvent,
]
_Identity = tuple[int, int]


class Notifier(AbstractAsyncContextManager["Notifier"]):
    """Calls `on_change` on the loop; use as a context, and `renew` now and then."""

    def __init__(self, roots: Iterable[Path], on_change: Callable[[], None]) -> None:
        self._roots = tuple(roots)
        self._on_change = on_change
        self._observer: BaseObserver = Observer()
        self._watched: dict[Path, tuple[_Identity, ObservedWatch]] = {}
        self._warned = False

    async def __aenter__(self) -> "Notifier":
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._observer.start)
        await self.renew()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._observer.stop()
        await asyncio.to_thread(self._observer.join)

    async def renew(self) -> None:
        """Watch the directories that came, or came back as others, since the last time."""
        await asyncio.to_thread(self._renew)

    def _renew(self) -> None:
        for root in self._roots:
            try:
                found = root.stat()
                identity = (found.st_dev, found.st_ino)
                if root not in self._watched or self._watched[root][0] != identity:
                    self._watch(root, identity)
            except OSError as error:
                self._warn(root, error)

    def _watch(self, root: Path, identity: _Identity) -> None:
        if root in self._watched:
            self._observer.unschedule(self._watched.pop(root)[1])
        handler = _Waker(self._wake)
        watch = self._observer.schedule(handler, root, recursive=True, event_filter=_CHANGES)
        self._watched[root] = (identity, watch)

    def _warn(self, root: Path, error: OSError) -> None:
        """Happens when the kernel's limit of watches is reached, for example."""
        if not self._warned:
            log.warning("file_events.unavailable", path=str(root), reason=error.strerror)
        self._warned = True

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._on_change)


class _Waker(wd.FileSystemEventHandler):
    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_any_event(self, event: wd.FileSystemEvent) -> None:
        self._wake()
