"""The cell of a lease in a key-value bucket of JetStream; implements `lease.LeaseCell`.

Revisions are the bucket's, counted on from the time at which it was made: a server that came back
empty makes a new one, whose revisions begin at 1, and epochs must still grow. The time is in
milliseconds and a lease is written about once a second, so those of a new bucket are always higher.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from modelium.common.boundary import cancellable
from modelium.common.errors import Conflict
from modelium.common.lease import NOBODY, Held
from modelium.common.nats_connection import AWAY, NatsConnection
from modelium.common.subjects import LEASES_BUCKET


class NatsLeaseCell:
    """One key of the bucket, which is made when it is not there."""

    def __init__(self, connection: NatsConnection, key: str) -> None:
        self._connection = connection
        self._key = key
        self._made_at_ms = 0

    async def read(self) -> Held | None:
        with self._answering():
            bucket = await self._bucket()
            try:
                entry = await bucket.get(self._key)
            except KeyNotFoundError:
                return None
        holder, seconds = _parsed(entry.value or b"")
        return Held(holder, seconds, self._made_at_ms + (entry.revision or 0))

    async def write(self, holder: str, seconds: float, *, after: int) -> int:
        value = json.dumps({"holder": holder, "seconds": seconds}).encode()
        with self._answering():
            bucket = await self._bucket()
            last = after - self._made_at_ms if after else 0
            if last < 0:  # of a bucket that was lost
                raise Conflict(self._key, after)
            try:
                return self._made_at_ms + await bucket.update(self._key, value, last=last)
            except KeyWrongLastSequenceError as error:
                raise Conflict(self._key, after) from error

    async def _bucket(self) -> KeyValue:
        """Asked for each time: it may be another one since."""
        js = self._connection.js
        try:
            bucket = await js.key_value(LEASES_BUCKET)
        except NotFoundError:
            bucket = await js.create_key_value(bucket=LEASES_BUCKET)
        info = (await bucket.status()).stream_info
        self._made_at_ms = round(info.created.timestamp() * 1000) if info.created else 0
        return bucket

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            with cancellable():
                yield
        except AWAY as error:
            raise self._connection.unavailable(f"keeps no lease: {error!r}") from error


def _parsed(value: bytes) -> tuple[str, float]:
    """What cannot be read, because somebody wrote it by hand, is nobody's."""
    try:
        found = json.loads(value)
        return str(found["holder"]), float(found["seconds"])
    except (ValueError, KeyError, TypeError):
        return NOBODY, 0.0
