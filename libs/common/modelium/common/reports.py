"""Reports of services about themselves; each may be lost, for it is said again or read again soon.

And what is asked of a service and answered at once.

`events.py` has them too, with all other messages.
"""

from pydantic import Field

from modelium.common.engine_log import MOST_LINES, EngineId, EngineLog
from modelium.common.figures import GatewayModelStats
from modelium.common.message import Message, Question
from modelium.common.ongoing_requests import CancelAnswer, RequestsAnswer
from modelium.common.plans import PlanAnswer, SleepAnswer
from modelium.common.policies import PoliciesAnswer
from modelium.common.records import AgentId, MemoryRecord, ModelName


class GatewayStats(Message):
    """A gateway's figures; its in-flight counts are leases that end when it falls silent."""

    subject = "gateway.stats"
    stored = False

    gateway_id: str
    models: tuple[GatewayModelStats, ...]


class OrchestratorHeartbeat(Message):
    """The orchestrator that leads; commands of a lower epoch are refused from now on."""

    subject = "orchestrator.heartbeat"
    stored = False

    orchestrator_id: str
    epoch: int = Field(ge=1, description="of its lease; a later leader's is higher")


class KeyChanged(Message):
    """An API key was made or revoked; gateways also look by themselves every ten seconds."""

    subject = "key.changed"
    stored = False

    key_id: str


class PoliciesChanged(Message):
    """Policies were applied; orchestrators also look by themselves every thirty seconds."""

    subject = "policies.changed"
    stored = False

    changes: dict[str, str] = Field(
        default_factory=dict, description="old -> new of each that the brain has tuned"
    )
    reason: str = Field(
        default="", description="why the brain did, with the figures; empty: an operator did"
    )


class MemoryMeasured(Message):
    """The registry has noted what an engine held, or that it ran out of memory."""

    subject = "memory.measured"
    stored = False

    record: MemoryRecord


class PlanAsked(Question):
    """What would happen if this model were asked for now?"""

    subject = "plan.asked"
    asked_of = "orchestrator"
    answered_with = PlanAnswer

    model: ModelName


class SleepAsked(Question):
    """Can this model's engine be put to sleep now?"""

    subject = "sleep.asked"
    asked_of = "orchestrator"
    answered_with = SleepAnswer

    model: ModelName


class EngineLogAsked(Question):
    """What has this engine of yours written, running or not?"""

    subject = "engine_log.{agent_id}.asked"
    asked_of = "runtime agent"
    answered_with = EngineLog

    agent_id: AgentId
    instance_id: EngineId
    lines: int = Field(default=200, ge=1, le=MOST_LINES, description="the newest, at most")
    after: str = Field(
        default="", max_length=100, description="only what came after this `mark` of an answer"
    )


class PoliciesAsked(Question):
    """Which policies are in force?"""

    subject = "policies.asked"
    asked_of = "orchestrator"
    answered_with = PoliciesAnswer


class RequestsAsked(Question):
    """Which requests wait for their model or are at an engine?"""

    subject = "requests.asked"
    asked_of = "gateway"
    answered_with = RequestsAnswer
    asked_of_all = True


class RequestCancelAsked(Question):
    """Who has this request? Let it end."""

    subject = "requests.cancel_asked"
    asked_of = "gateway"
    answered_with = CancelAnswer
    asked_of_all = True

    request_id: str = Field(min_length=1)
