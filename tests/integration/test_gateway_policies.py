"""`/admin/policies` of a gateway, with an orchestrator that does what the test wants."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from modelium.common.api_keys import Scope
from modelium.common.events import PoliciesAsked, PoliciesChanged
from modelium.common.policies import PoliciesAnswer, PoliciesInForce
from modelium.common.settings import Policies
from tests.integration.gateway_rig import Rig, gateway_with_keys, running_gateway

Answer = Callable[[], Awaitable[PoliciesAnswer]]


class Orchestrator:
    """Reads what is stored when it is asked, unless it is `deaf`."""

    def __init__(self, rig: Rig) -> None:
        self.policies = PoliciesInForce(Policies(min_residency_seconds=3))
        self.deaf = False
        self.starts = False
        self._store = rig.around.store.policies

    async def answer(self, _: PoliciesAsked) -> PoliciesAnswer:
        if self.starts:
            return PoliciesAnswer(report=None, problem="it has just started")
        if not self.deaf:
            self.policies.use(await self._store.get())
        return PoliciesAnswer(report=self.policies.report())


@asynccontextmanager
async def with_orchestrator() -> AsyncIterator[tuple[Rig, Orchestrator]]:
    async with running_gateway() as rig:
        orchestrator = Orchestrator(rig)
        answering = rig.around.bus.answer({PoliciesAsked: orchestrator.answer})
        rig.tasks.append(rig.group.create_task(answering))
        await rig.around.bus.settled()
        yield rig, orchestrator


async def ask(rig: Rig, method: str, body: Any = None) -> tuple[int, Any]:
    url = rig.url + "/admin/policies"
    async with rig.http.request(method, url, json=body) as response:
        return response.status, await response.json()


async def test_what_is_in_force_is_the_orchestrators() -> None:
    async with with_orchestrator() as (rig, _):
        status, report = await ask(rig, "GET")
        assert status == 200
        assert report["policies"]["min_residency_seconds"] == 3
        assert (report["version"], report["applied"]) == (0, None)


async def test_what_is_applied_is_stored_told_and_answered_as_it_is_in_force() -> None:
    async with with_orchestrator() as (rig, _):
        status, report = await ask(rig, "PUT", {"min_residency_seconds": 9})
        assert (status, report["version"]) == (200, 1)
        assert report["origins"]["min_residency_seconds"] == "applied"
        stored = await rig.around.store.policies.get()
        assert stored is not None
        assert stored.policies == Policies(min_residency_seconds=9)
        assert stored.instead_of == Policies(min_residency_seconds=3)
        assert stored.named == ("min_residency_seconds",)
        assert len(rig.around.bus.of(PoliciesChanged)) == 1


async def test_each_apply_replaces_the_last_as_a_whole() -> None:
    async with with_orchestrator() as (rig, _):
        await ask(rig, "PUT", {"deepest_sleep": 0})
        _, report = await ask(rig, "PUT", {"min_residency_seconds": 9})
        assert report["version"] == 2
        assert report["policies"] == Policies(min_residency_seconds=9).model_dump(mode="json")


async def test_wrong_policies_change_nothing() -> None:
    async with with_orchestrator() as (rig, _):
        for wrong in ({"min_residency_seconds": -1}, {"min_residency": 1}, ["deepest_sleep"]):
            status, body = await ask(rig, "PUT", wrong)
            assert (status, body["error"]["type"]) == (400, "invalid_request_error")
        assert await rig.around.store.policies.get() is None
        assert rig.around.bus.of(PoliciesChanged) == []


async def test_without_an_orchestrator_that_knows_nothing_is_stored() -> None:
    async with with_orchestrator() as (rig, orchestrator):
        orchestrator.starts = True
        for method, body in (("GET", None), ("PUT", {"deepest_sleep": 0})):
            status, answer = await ask(rig, method, body)
            assert status == 503
            assert "it has just started" in answer["error"]["message"]
        assert await rig.around.store.policies.get() is None


async def test_they_are_for_admins() -> None:
    async with gateway_with_keys() as rig:
        reader = await rig.key(scopes=(Scope.INFERENCE, Scope.READ))
        for method, body in (("GET", None), ("PUT", {})):
            url = rig.url + "/admin/policies"
            async with rig.http.request(method, url, json=body, headers=reader) as response:
                assert response.status == 403
