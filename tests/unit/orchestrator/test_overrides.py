"""What a model's own file says reaches the decisions and the commands."""

from modelium.common.descriptor import Overrides
from modelium.common.plans import PlanOutcome
from modelium.common.testing import a_descriptor
from modelium.core.memory import context_tokens
from modelium.core.policy import MemoryPolicy
from tests.unit.orchestrator.rig import a_model, loaded, running
from tests.unit.orchestrator.test_planning import planned


async def test_a_pinned_model_is_loaded_unasked_and_never_a_victim() -> None:
    about = a_model("b").descriptor
    assert about is not None
    pinned = about.model_copy(update={"overrides": Overrides(pin=True)})
    async with running(a_model("a", descriptor=pinned), a_model("b")) as rig:
        await loaded(rig, "a")
        await rig.seconds(10)
        plan = await planned(rig, "b")
        assert plan.outcome is not PlanOutcome.DISPLACE
        assert "a, which is always loaded" in plan.reason


def test_a_model_s_own_context_goes_before_the_settings() -> None:
    policy = MemoryPolicy(kv_cache_bytes=1, overhead_bytes=1, max_context_tokens=512)
    assert context_tokens(a_descriptor(context_length=4096), policy) == 512
    wants = a_descriptor(context_length=4096, overrides=Overrides(context=2048))
    assert context_tokens(wants, policy) == 2048
