"""What a model's own file says, or a plan that counts, reaches the decisions and commands."""

from modelium.common.descriptor import Overrides, PlannedSettings
from modelium.common.events import DecisionMade, LoadModel, ModelRequested
from modelium.common.figures import DecisionSource, DeploymentPlan
from modelium.common.plans import PlanOutcome
from modelium.common.testing import a_descriptor
from modelium.core.digest import digest_of_descriptor
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


async def test_a_plan_of_the_language_model_that_leads_reaches_the_command() -> None:
    about = a_model("a").descriptor
    assert about is not None
    settings = PlannedSettings(max_num_seqs=8)
    plan = DeploymentPlan(
        model="a",
        runtime=about.runtime,
        needed_bytes=1,
        confidence=0.9,
        reasoning="r",
        settings=settings,
    )
    async with running(a_model("a")) as rig:
        await rig.say(
            DecisionMade(
                origin="brain",
                source=DecisionSource.LLM,
                inputs_digest=digest_of_descriptor(about),
                plan=plan,
            )
        )
        await rig.say(ModelRequested(model="a"))
        (command,) = rig.agent.commands
        assert isinstance(command, LoadModel)
        assert command.planned == settings
