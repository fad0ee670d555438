"""The digest by which a decision names the inputs it was made from."""

from hashlib import sha256

from modelium.common.descriptor import Descriptor
from modelium.common.events import MetricsTick
from modelium.core.snapshot import Snapshot


def digest_of_tick(tick: MetricsTick) -> str:
    """Of the figures only, so that a tick sent again has the same."""
    return _digest(tick.model_dump_json(include={"interval_s", "models", "devices"}))


def digest_of_descriptor(descriptor: Descriptor) -> str:
    """Of everything that is in it."""
    return _digest(descriptor.model_dump_json())


def digest_of_snapshot(seen: Snapshot) -> str:
    """Of every model and device in it."""
    return _digest(repr(seen))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
