"""Fakes for unit tests: a clock moved by hand, a bus and a store in memory, and sample values.

The bus and the store pass the same contract suite as NATS and Redis (`tests/contract`). Nothing
here waits for real time.
"""

from modelium.common.testing.bus import DeadLetter, InMemoryBus
from modelium.common.testing.clock import FakeClock, yield_to_others
from modelium.common.testing.lease import InMemoryLeaseCell
from modelium.common.testing.samples import (
    a_descriptor,
    a_device,
    a_memory_record,
    a_model_record,
    an_agent_record,
    an_instance_record,
)
from modelium.common.testing.store import InMemoryStore, in_memory_store

__all__ = [
    "DeadLetter",
    "FakeClock",
    "InMemoryBus",
    "InMemoryLeaseCell",
    "InMemoryStore",
    "a_descriptor",
    "a_device",
    "a_memory_record",
    "a_model_record",
    "an_agent_record",
    "an_instance_record",
    "in_memory_store",
    "yield_to_others",
]
