"""What a deployment plan makes of a model's record; pure."""

from modelium.common.events import DecisionMade
from modelium.common.figures import DecisionSource
from modelium.common.records import ModelRecord
from modelium.core.deployment import guarded
from modelium.core.digest import digest_of_descriptor


def after_plan(event: DecisionMade, record: ModelRecord | None) -> ModelRecord | None:
    """The record with what a plan says of its engine, where that may be followed.

    The plan of whoever does not lead is told only, as is one that the guard drops or that was made
    of other files. The rules' own plan changes nothing. An engine that runs is left as it is.
    """
    plan = event.plan
    if record is None or plan is None or record.descriptor is None or event.shadow:
        return record
    of_these_files = event.inputs_digest == digest_of_descriptor(record.descriptor)
    if event.source is not DecisionSource.LLM or not of_these_files:
        return record
    if guarded(plan, record.descriptor).dropped_by:
        return record
    return record.model_copy(update={"planned": plan.settings})
