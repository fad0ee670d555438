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
MEMORY: Final = "modelium:memory"
"""Set of all ids of measured memory."""
API_KEYS: Final = "modelium:api_keys"
"""Set of all ids of API keys."""
GATEWAYS: Final = "modelium:gateways"
"""Sorted set: the gateways that share limits, each with the time its lease ends."""
DECISIONS: Final = "modelium:decisions"
"""List: ids of all kept decisions, the newest first."""
REQUESTS: Final = "modelium:requests"
"""List: ids of all kept requests that waited for a load, the newest first."""
POLICIES: Final = "modelium:policies"
"""Hash: the policies that were applied last; delete it, and the settings file counts again."""
ADVISORS: Final = "modelium:advisors"
"""Set of the language models that have led, or lost the lead."""
LIMITS: Final = "modelium:limits"
"""Prefix of the lists in which the library `limits` notes what was taken in the last minute."""
USAGE_ORGANIZATIONS: Final = "modelium:usage:organizations"
"""Set of all organisations with usage."""


def model(name: str) -> str:
    """Hash: one `ModelRecord`."""
    return f"modelium:model:{name}"


def instance(instance_id: str) -> str:
    """Hash: one `InstanceRecord`."""
    return f"modelium:instance:{instance_id}"


def agent(agent_id: str) -> str:
    """Hash: one `AgentRecord`; expires unless the agent's heartbeat renews it."""
    return f"modelium:agent:{agent_id}"


def memory(memory_id: str) -> str:
    """Hash: one `MemoryRecord`; delete it (and it is measured anew)."""
    return f"modelium:memory:{memory_id}"


def advisor(name: str) -> str:
    """Hash: one `AdvisorRecord`; delete it, and the language model is on probation again."""
    return f"modelium:advisor:{name}"


def api_key(key_id: str) -> str:
    """Hash: one `ApiKey`; of the key itself only a digest."""
    return f"modelium:api_key:{key_id}"


def slots(account: str) -> str:
    """Hash: which gateway holds how many of an account's concurrent requests, and until when."""
    return f"modelium:slots:{account}"


def usage(organization: str, day: str) -> str:
    """Hash: what an organisation used on a day, a field per key, model and figure."""
    return f"modelium:usage:{organization}:{day}"


def usage_sequence(gateway_id: str) -> str:
    """String: the last batch of usage that a gateway has written."""
    return f"modelium:usage_sequence:{gateway_id}"


def decision(decision_id: str) -> str:
    """Hash: one `DecisionRecord`; expires."""
    return f"modelium:decision:{decision_id}"


def decisions(model: str) -> str:
    """List: ids of the kept decisions about a model, the newest first; expires."""
    return f"modelium:decisions:{model}"


def request(request_id: str) -> str:
    """Hash: one `RequestRecord`; expires."""
    return f"modelium:request:{request_id}"
