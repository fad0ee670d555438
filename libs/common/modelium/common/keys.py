"""Redis keys. No key is spelled anywhere else; `docs/events.md` lists them for people.

Hashes have one field per attribute, nested ones with a dot (`descriptor.architecture`), so that
`redis-cli hgetall modelium:model:<name>` reads like a status page.
"""

from typing import Final

MODELS: Final = "modelium:models"
"""Set of all model names."""
INSTANCES: Final = "modelium:instances"
"""Set of all instance ids."""
AGENTS: Final = "modelium:agents"
"""Set of all agent ids; an agent whose hash has expired is gone."""


def model(name: str) -> str:
    """Hash: one `ModelRecord`."""
    return f"modelium:model:{name}"


def instance(instance_id: str) -> str:
    """Hash: one `InstanceRecord`."""
    return f"modelium:instance:{instance_id}"


def agent(agent_id: str) -> str:
    """Hash: one `AgentRecord`; expires unless the agent's heartbeat renews it."""
    return f"modelium:agent:{agent_id}"
