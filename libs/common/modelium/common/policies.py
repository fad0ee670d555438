"""The policies a process goes by: what it was started with, and what was applied since.

Pure, but for the one value that `PoliciesInForce` holds. An applied value counts where no variable
of the environment says otherwise, and until the settings file says something else than it did when
the value was applied: then the file is newer.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from modelium.common.frozen import Frozen
from modelium.common.records import Record
from modelium.common.settings_policies import Policies

SECTION: Final = "orchestration.policies"
APPLIED: Final = "applied"
TUNED: Final = "tuned"
DEFAULT: Final = "default"


class Tuned(Frozen):
    """What the brain has changed, having replayed the recent demand."""

    names: tuple[str, ...] = Field(description="policies that it has ever changed since")
    reason: str = Field(description="of the last change: one sentence for people, with the figures")


class AppliedPolicies(Record):
    """What `modelium config apply` was given last, in the store."""

    policies: Policies
    instead_of: Policies = Field(description="what the orchestrator had been started with")
    named: tuple[str, ...] = Field(
        default=(), description="policies that the operator named, if only to have the default"
    )
    tuned: Tuned | None = Field(
        default=None, description="what the brain has changed of it; null: an operator applied it"
    )


class PoliciesReport(Frozen):
    """The policies the orchestrator that leads decides by, and where each is set."""

    version: int = Field(default=0, ge=0, description="grows with each apply; 0: none was applied")
    applied_at: datetime | None = None
    policies: Policies = Field(description="in force")
    origins: dict[str, str] = Field(
        description="of each policy: default, applied, tuned (by the brain), a settings file, or "
        "a variable of the orchestrator's environment"
    )
    applied: Policies | None = Field(default=None, description="what was applied last")
    configured: Policies = Field(description="what the orchestrator was started with")
    file_digests: dict[str, str] = Field(
        default_factory=dict, description="of the other settings in its file; secret ones left out"
    )


class PoliciesAnswer(Frozen):
    """The report, or why there is none."""

    report: PoliciesReport | None
    problem: str = ""


class PoliciesInForce:
    """Holds what was applied last; `origins` as `load_settings.Loaded` has them."""

    def __init__(
        self,
        configured: Policies,
        origins: Mapping[str, str] | None = None,
        file_digests: Mapping[str, str] | None = None,
    ) -> None:
        self.configured = configured
        self.current = configured
        self.known = False
        """Whether the store was read."""
        self._origins = origins or {}
        self._file_digests = dict(file_digests or {})
        self._applied: AppliedPolicies | None = None

    def use(self, applied: AppliedPolicies | None) -> dict[str, str]:
        """Go by what the store holds (None: nothing was applied); says what that changes."""
        before, self._applied, self.known = self.current, applied, True
        self.current = self.configured.model_copy(
            update={name: getattr(applied.policies, name) for name in self._counting()}
            if applied
            else {}
        )
        return changes(before, self.current)

    def _counting(self) -> list[str]:
        """The policies whose applied value counts."""
        return [name for name in Policies.model_fields if self._counts(name)]

    def _counts(self, name: str) -> bool:
        applied = self._applied
        if applied is None or is_variable(self._set_by(name)):
            return False
        known = (getattr(applied.instead_of, name), getattr(applied.policies, name))
        return getattr(self.configured, name) in known

    def _set_by(self, name: str) -> str:
        return self._origins.get(f"{SECTION}.{name}", DEFAULT)

    def _origin(self, name: str) -> str:
        if getattr(self.current, name) == getattr(self.configured, name):
            place = self._set_by(name)
            return APPLIED if place == DEFAULT and name in self._named else place
        tuned = self._applied.tuned if self._applied else None
        return TUNED if tuned and name in tuned.names else APPLIED

    @property
    def _named(self) -> frozenset[str]:
        """Also those whose value was in force already."""
        named = self._applied.named if self._applied else ()
        return frozenset(name for name in named if self._counts(name))

    @property
    def tuned_because(self) -> str:
        """Why the brain has changed what is in force; empty: it has not."""
        applied = self._applied
        return applied.tuned.reason if applied and applied.tuned else ""

    @property
    def settled(self) -> frozenset[str]:
        """The policies that an operator has set, in whichever way."""
        applied = self._applied
        own = set(applied.tuned.names if applied and applied.tuned else ())
        differing = {
            name
            for name in Policies.model_fields
            if getattr(self.current, name) != getattr(self.configured, name)
        }
        set_somewhere = {name for name in Policies.model_fields if self._set_by(name) != DEFAULT}
        return frozenset(set_somewhere | (differing - own) | self._named)

    def report(self) -> PoliciesReport:
        """For people."""
        applied = self._applied
        return PoliciesReport(
            version=applied.version if applied else 0,
            applied_at=applied.updated_at if applied else None,
            policies=self.current,
            origins={name: self._origin(name) for name in Policies.model_fields},
            applied=applied.policies if applied else None,
            configured=self.configured,
            file_digests=self._file_digests,
        )


class AlwaysLoaded(Collection[str]):
    """The names in `always_loaded` as they are now."""

    def __init__(self, policies: PoliciesInForce) -> None:
        self._policies = policies

    def __contains__(self, name: object) -> bool:
        return name in self._policies.current.always_loaded

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies.current.always_loaded)

    def __len__(self) -> int:
        return len(self._policies.current.always_loaded)


def is_variable(origin: str) -> bool:
    """Whether a setting that is set there cannot be changed while its process runs."""
    return origin.startswith("MODELIUM_")


def changes(before: Policies, after: Policies) -> dict[str, str]:
    """`old -> new` of each policy that differs."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in Policies.model_fields}
    return {
        name: f"{_text(old)} -> {_text(new)}" for name, (old, new) in pairs.items() if old != new
    }


def _text(value: Any) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else f"{value}"
