"""Reports of services about themselves; each may be lost, for it is said again or read again soon.

`events.py` has them too, with all other messages.
"""

from modelium.common.figures import GatewayModelStats
from modelium.common.message import Message
from modelium.common.records import MemoryRecord


class GatewayStats(Message):
    """A gateway's figures; its in-flight counts are leases that end when it falls silent."""

    subject = "gateway.stats"
    stored = False

    gateway_id: str
    models: tuple[GatewayModelStats, ...]


class KeyChanged(Message):
    """An API key was made or revoked; gateways also look by themselves every ten seconds."""

    subject = "key.changed"
    stored = False

    key_id: str


class MemoryMeasured(Message):
    """The registry has noted what an engine held, or that it ran out of memory."""

    subject = "memory.measured"
    stored = False

    record: MemoryRecord
