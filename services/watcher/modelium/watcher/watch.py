"""Looks at the watch directories again and again, and announces what the store does not know.

`scan.py` and `announcements.py` decide; this is their shell. A look follows every file event, every
moment at which something may have settled, and every scan interval; at each of the last, and
whenever the look shows something else than the one before, it is compared with the store.
"""

import asyncio
import hashlib
from typing import Final, Protocol

import structlog

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import Message, ModelDiscovered, ModelRemoved
from modelium.common.settings import ModelDiscovery
from modelium.common.store import Store
from modelium.watcher import announcements, scan
from modelium.watcher.listing import Candidate, Listing

SHORTEST_PAUSE_S: Final = 0.1
"""While a large model is copied, file events come by the thousand."""
_PAUSE_PER_LOOK: Final = 4
"""So looks at ten thousand files take no more than a fifth of a core, whatever changes."""

log = structlog.get_logger()


class Listings(Protocol):
    """The watch directories."""

    async def listing(self) -> Listing:
        """What is there now; a directory that cannot be read is not among its `roots`."""

    async def inspect(
        self, candidate: Candidate, before: scan.Verdict | None = None
    ) -> scan.Verdict:
        """Its fingerprint, and what it still lacks; never raises for what a folder may hold.

        `before` is what was said of the same files last: it holds while their writer has them open.
        """


class Watch:
    """One task owns it; `wake` may be called from the same loop."""

    def __init__(
        self, *, folders: Listings, store: Store, bus: Bus, clock: Clock, settings: ModelDiscovery
    ) -> None:
        self._folders = folders
        self._store = store
        self._bus = bus
        self._clock = clock
        self._interval_s = settings.scan_interval_seconds
        self._waits = scan.Waits(
            settings.settle_seconds,
            settings.incomplete_after_seconds,
            settings.doubtful_after_seconds,
        )
        self._woken = asyncio.Event()
        self._seen: dict[str, scan.Seen] = {}
        self._verdicts: dict[str, scan.Verdict] = {}
        self._sent: dict[tuple[str, str], announcements.Sent] = {}
        self._told: dict[str, str] = {}
        self._compared: object = None
        self._compare_at_s = 0.0

    def wake(self) -> None:
        """Look again soon."""
        self._woken.set()

    async def run(self) -> None:
        """Look until cancelled; while the store or the bus is away, keep trying."""
        while True:
            began_s = self._clock.monotonic()
            try:
                pause_s = await self.look()
            except DependencyUnavailable as error:
                log.warning("watch.waiting", reason=str(error))
                pause_s = self._interval_s
            took_s = self._clock.monotonic() - began_s
            await self._pause(pause_s, shortest_s=max(SHORTEST_PAUSE_S, _PAUSE_PER_LOOK * took_s))

    async def look(self) -> float:
        """Look once, announce what is due, and say in how many seconds to look again."""
        listing = await self._folders.listing()
        now_s = self._clock.monotonic()
        settle_s = self._waits.settle_s
        self._seen = scan.observe(self._seen, listing, now_s, settle_s=settle_s)
        await self._judge(now_s)
        found = scan.ready(self._seen, self._verdicts, now_s, self._waits)
        present = scan.present(self._seen, now_s, settle_s=settle_s)
        look = (found, present, listing.roots)
        if look != self._compared or now_s >= self._compare_at_s:
            await self._announce(*look)
            self._compared = look
            self._compare_at_s = now_s + self._interval_s
        return self._next_look_s(now_s)

    def _next_look_s(self, now_s: float) -> float:
        settles_s = scan.next_look_s(self._seen, self._verdicts, now_s, self._waits)
        compare_s = self._compare_at_s - now_s
        return compare_s if settles_s is None else min(settles_s, compare_s)

    async def _judge(self, now_s: float) -> None:
        """Read what has settled and was not read since, and again what is not complete."""
        rescan = now_s >= self._compare_at_s
        before = self._verdicts
        self._verdicts = scan.kept(self._verdicts, self._seen, now_s, self._waits, rescan=rescan)
        for candidate in scan.settled(self._seen, now_s, settle_s=self._waits.settle_s):
            if candidate.path not in self._verdicts:
                self._verdicts[candidate.path] = await self._folders.inspect(
                    candidate, before.get(candidate.path)
                )
        self._tell_what_waits()

    def _tell_what_waits(self) -> None:
        """Once each: nothing else shows why a model that is being copied is not there yet."""
        waits = {
            path: reason
            for path, verdict in self._verdicts.items()
            if (reason := verdict.doubt or verdict.missing)
        }
        for path, reason in waits.items():
            if self._told.get(path) != reason:
                log.info("model.waiting", path=path, reason=reason)
        self._told = waits

    async def _announce(
        self, found: dict[str, scan.Verdict], present: set[str], roots: tuple[str, ...]
    ) -> None:
        records = await self._store.models.all()
        now_s = self._clock.monotonic()
        news = announcements.announcements(found, present, roots, records)
        unanswered = {(announcement.path, announcement.model) for announcement in news}
        self._sent = {
            key: sent if key in unanswered else announcements.after_answer(sent)
            for key, sent in self._sent.items()
        }
        for announcement in news:
            key = (announcement.path, announcement.model)
            sent = self._sent.get(key)
            again_s = 2 * self._interval_s
            if not announcements.is_due(announcement, sent, now_s, again_s=again_s):
                continue
            sent = announcements.after_sending(announcement, sent, now_s)
            await self._bus.publish(self._message(announcement, sent))
            self._sent[key] = sent

    def _message(
        self, announcement: announcements.Announcement, sent: announcements.Sent
    ) -> Message:
        """Numbered, so that only the same announcement of a process killed in between is a repeat.

        After the store was lost, or a folder went and came back, the same files are news.
        """
        path, model = announcement.path, announcement.model
        parts = (path, model, announcement.fingerprint or "removed", str(sent.count))
        common = {
            "path": path,
            "model": model,
            "message_id": hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32],
            "occurred_at": self._clock.now(),
        }
        log.info("model.announced", model=model, path=path, fingerprint=announcement.fingerprint)
        if isinstance(announcement, announcements.Removal):
            return ModelRemoved.model_validate(common)
        files = {
            "fingerprint": announcement.fingerprint,
            "size_bytes": announcement.size_bytes,
            "name_taken_by": announcement.name_taken_by,
        }
        return ModelDiscovered.model_validate(common | files)

    async def _pause(self, longest_s: float, *, shortest_s: float) -> None:
        shortest_s = min(shortest_s, longest_s)
        await self._clock.sleep(shortest_s)
        async with asyncio.TaskGroup() as tasks:
            alarm = tasks.create_task(self._wake_after(longest_s - shortest_s))
            await self._woken.wait()
            alarm.cancel()
        self._woken.clear()

    async def _wake_after(self, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        self._woken.set()
