"""`/admin/policies`: which policies are in force, and others instead of them.

What is applied is written here and used by whoever reads it; the answer is the orchestrator's, once
it decides by what was written.
"""

from typing import Final

from fastapi import APIRouter

from modelium.common.errors import Conflict, DependencyUnavailable
from modelium.common.events import PoliciesAsked, PoliciesChanged
from modelium.common.policies import AppliedPolicies, PoliciesAnswer, PoliciesReport
from modelium.common.settings_policies import Policies
from modelium.gateway.edge import errors_http
from modelium.gateway.pages.bodies import errors
from modelium.gateway.pages.parts import ColdParts, Parts

ANSWER_S: Final = 5.0
"""How long the orchestrator may take for one answer."""
USE_S: Final = 10.0
"""How long it may take to read what was written: it hears of it at once."""
_POLL_S: Final = 0.05

router = APIRouter(prefix="/admin", tags=["admin"])


@router.get("/policies", responses=errors(503))
async def show_policies(parts: Parts) -> PoliciesReport:
    """The policies that the orchestrator decides by, and where each is set."""
    try:
        return await _report(parts)
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error


@router.put("/policies", responses=errors(503))
async def apply_policies(policies: Policies, parts: Parts) -> PoliciesReport:
    """Go by these from now on; one that is left out is at its default.

    What an environment variable of the orchestrator sets stays as it is: see `origins`.
    """
    try:
        before = await _report(parts)
        stored = await parts.store.policies.get()
        record = AppliedPolicies(
            version=stored.version if stored else 0,
            policies=policies,
            named=tuple(sorted(policies.model_fields_set)),
            instead_of=before.configured,
        )
        saved = await parts.store.policies.save(record)
        await parts.bus.publish(PoliciesChanged())
        return await _used(parts, saved)
    except (Conflict, DependencyUnavailable) as error:
        raise errors_http.unavailable(str(error)) from error


async def _used(parts: ColdParts, saved: AppliedPolicies) -> PoliciesReport:
    """The report of an orchestrator that has read it."""
    clock = parts.clock
    deadline_s = clock.monotonic() + USE_S
    while clock.monotonic() < deadline_s:
        report = await _report(parts)
        if report.version >= saved.version:
            return report
        await clock.sleep(_POLL_S)
    raise DependencyUnavailable(
        "The policies are stored, but the orchestrator does not go by them yet",
        "It reads them every thirty seconds: see its log",
    )


async def _report(parts: ColdParts) -> PoliciesReport:
    answer = await parts.bus.ask(PoliciesAsked(), PoliciesAnswer, timeout_s=ANSWER_S)
    if answer.report is None:
        text = f"The orchestrator cannot say which policies are in force: {answer.problem}"
        raise DependencyUnavailable(text, "Ask again in a few seconds")
    return answer.report
