"""Whether there is room on an agent's devices for one more engine, beside those that it knows of.

Whoever commanded it may not know of all that runs here. What is not known of what an engine holds
counts as reserved.
"""

from collections.abc import Iterable

from modelium.runtime_agent.devices import Devices
from modelium.runtime_agent.instance import Life


def lacks_room(
    devices: Devices, device_ids: Iterable[str], more_bytes: int, others: Iterable[Life]
) -> bool:
    """Whether one of the devices cannot hold `more_bytes` beside what the others may take."""
    here = [life for life in others if life.last is None]

    def lacks(device_id: str) -> bool:
        traits = devices.traits(device_id)
        held = sum(life.promised_bytes for life in here if device_id in life.record.device_ids)
        return traits is not None and held + more_bytes > traits.physical_bytes

    return any(map(lacks, device_ids))
