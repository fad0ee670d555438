"""Declares the streams and consumers of `subjects.py` on a NATS server; again and again, unharmed.

A server may come back empty, or still have what an older version declared. What exists is updated;
what a server refuses to update is left as it is, and said in the log.
"""

from typing import Final

import structlog
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError

from modelium.common.subjects import STREAMS, Stream

DUPLICATE_WINDOW_S: Final = 120
NAME_IN_USE: Final = 10058

_log = structlog.get_logger()


async def declare_streams(js: JetStreamContext) -> None:
    """Create the streams, or update them to what is wanted now."""
    for stream in STREAMS:
        await _declare(js, _config(stream))


async def declare_consumer(
    js: JetStreamContext, stream: str, durable: str, subjects: tuple[str, ...], *, ack_wait_s: float
) -> None:
    """Create a durable pull consumer, or update its subjects; its position is kept."""
    await js.add_consumer(
        stream,
        ConsumerConfig(
            durable_name=durable,
            filter_subjects=list(subjects),
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            max_deliver=-1,  # `delivery.py` counts: the server would strand a message silently
            max_ack_pending=256,
        ),
    )


async def _declare(js: JetStreamContext, config: StreamConfig) -> None:
    try:
        await js.add_stream(config)
    except BadRequestError as error:
        if error.err_code != NAME_IN_USE:
            raise
        await _update(js, config)


async def _update(js: JetStreamContext, config: StreamConfig) -> None:
    try:
        await js.update_stream(config)
    except BadRequestError as error:
        _log.warning("bus.stream_not_updated", stream=config.name, reason=error.description)


def _config(stream: Stream) -> StreamConfig:
    retention = RetentionPolicy.WORK_QUEUE if stream.work_queue else RetentionPolicy.LIMITS
    return StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=retention,
        discard=DiscardPolicy.NEW if stream.work_queue else DiscardPolicy.OLD,
        max_age=stream.max_age_s,
        max_bytes=stream.max_bytes,
        storage=StorageType.FILE,
        duplicate_window=DUPLICATE_WINDOW_S,
        num_replicas=1,
    )
