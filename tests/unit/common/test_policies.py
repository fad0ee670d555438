"""Which of an applied, a configured and an environment's value counts."""

import pytest

from modelium.common.policies import AlwaysLoaded, AppliedPolicies, PoliciesInForce, changes
from modelium.common.settings import Policies

VARIABLE = "MODELIUM_ORCHESTRATION__POLICIES__DEEPEST_SLEEP"
KEY = "orchestration.policies.deepest_sleep"


@pytest.mark.parametrize(
    ("configured", "origin", "applied", "instead_of", "counts", "where"),
    [
        (2, "default", None, None, 2, "default"),
        (1, "/m.yaml", None, None, 1, "/m.yaml"),
        (1, "/m.yaml", 0, 1, 0, "applied"),
        (0, "/m.yaml", 0, 1, 0, "/m.yaml"),  # restarted with the file that was applied
        (2, "/m.yaml", 0, 1, 2, "/m.yaml"),  # the file was changed since
        (2, "default", 0, 1, 2, "default"),  # the line was taken out since
        (1, VARIABLE, 0, 1, 1, VARIABLE),  # nobody can change a process's environment
        (1, VARIABLE, 0, 0, 1, VARIABLE),
    ],
)
def test_what_counts_and_where_it_is_set(
    configured: int,
    origin: str,
    applied: int | None,
    instead_of: int | None,
    counts: int,
    where: str,
) -> None:
    origins = {} if origin == "default" else {KEY: origin}
    policies = PoliciesInForce(Policies(deepest_sleep=configured), origins)
    if applied is not None and instead_of is not None:
        record = AppliedPolicies(
            policies=Policies(deepest_sleep=applied), instead_of=Policies(deepest_sleep=instead_of)
        )
        policies.use(record)
    report = policies.report()
    assert (report.policies.deepest_sleep, report.origins["deepest_sleep"]) == (counts, where)


def test_one_changed_line_of_the_file_takes_nothing_else_back() -> None:
    policies = PoliciesInForce(Policies(deepest_sleep=1))
    applied = Policies(deepest_sleep=0, min_residency_seconds=9)
    policies.use(AppliedPolicies(policies=applied, instead_of=Policies()))
    assert policies.current == Policies(deepest_sleep=1, min_residency_seconds=9)


def test_using_the_same_again_changes_nothing() -> None:
    policies = PoliciesInForce(Policies())
    record = AppliedPolicies(policies=Policies(always_loaded=("a",)), instead_of=Policies())
    assert policies.use(record) == {"always_loaded": "[] -> [a]"}
    assert policies.use(record) == {}
    assert policies.use(None) == {"always_loaded": "[a] -> []"}


def test_names_that_are_always_loaded_follow() -> None:
    policies = PoliciesInForce(Policies())
    names = AlwaysLoaded(policies)
    assert list(names) == []
    policies.use(AppliedPolicies(policies=Policies(always_loaded=("a",)), instead_of=Policies()))
    assert "a" in names
    assert (list(names), len(names)) == (["a"], 1)


def test_equal_policies_do_not_differ() -> None:
    assert changes(Policies(), Policies()) == {}


def test_a_default_that_an_operator_names_is_his() -> None:
    # The brain tuned it, since its value was the one that was in force already.
    policies = PoliciesInForce(Policies())
    named = ("displace_after_seconds",)
    policies.use(AppliedPolicies(policies=Policies(), instead_of=Policies(), named=named))
    assert policies.settled == set(named)
    assert policies.report().origins["displace_after_seconds"] == "applied"
    assert policies.report().origins["min_residency_seconds"] == "default"
