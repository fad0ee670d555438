"""Which facts of the bus one who looks may see, and how much of each. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from modelium.common.advice import DecisionMade
from modelium.common.event_log import StoredEvent
from modelium.common.subjects import STORED_FACTS
from modelium.gateway.live.documents import BusEvent

SUBJECT_PATTERN: Final = r"^(\*|[\w-]+)(\.(\*|[\w-]+))*(\.>)?$|^>$"
_FIRST: Final = {"*", ">"} | {subject.partition(".")[0] for subject in STORED_FACTS}
_PRIVATE: Final = frozenset({"path", "name_taken_by", "endpoint", "endpoints", "log_tail"})
"""What lies where, and what engines have said: for operators."""


class NoSuchSubject(ValueError):
    """Nothing that is stored as a fact can have such a subject."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What one who looks may see, and asks for; no subjects: all of them.

    `everything`: also what is said only so that its sender is known to be there.
    """

    visible: Callable[[str], bool]
    sees_all: bool
    is_operator: bool
    subjects: tuple[re.Pattern[str], ...] = ()
    model: str | None = None
    everything: bool = False

    def shown(self, event: StoredEvent) -> BusEvent | None:
        """The fact as far as it is for them; None: it is not."""
        if self.subjects and not any(s.fullmatch(event.subject) for s in self.subjects):
            return None
        if not (self.everything or is_news(event)):
            return None
        payload = event.payload if self.sees_all else _narrowed(event.payload, self.visible)
        models = models_of(payload)
        if not self._may_see(models, event) or (
            self.model is not None and self.model not in models
        ):
            return None
        if not self.is_operator:
            payload = _without_places(payload)
        return BusEvent(
            seq=event.seq,
            time=event.time,
            subject=event.subject,
            source=event.source,
            model=models[0] if len(models) == 1 else None,
            payload=payload,
        )

    def _may_see(self, models: tuple[str, ...], event: StoredEvent) -> bool:
        """`models`: those that are left. What is no object might be about any."""
        if self.sees_all:
            return True
        if not models and models_of(event.payload):
            return False
        return isinstance(event.payload, dict) and all(map(self.visible, models))


def is_news(event: StoredEvent) -> bool:
    """False for the brain's answer to a tick that nothing is to change, of which most are."""
    if event.subject != DecisionMade.subject or not isinstance(event.payload, dict):
        return True
    return any(event.payload.get(name) for name in ("decisions", "plan", "failure"))


def patterns(subjects: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    """What matches as NATS' wildcards do.

    Raises:
        NoSuchSubject: one matches no fact, or is none.
    """
    return tuple(map(_pattern, subjects))


def _pattern(subject: str) -> re.Pattern[str]:
    if re.fullmatch(SUBJECT_PATTERN, subject) is None or subject.partition(".")[0] not in _FIRST:
        facts = ", ".join(STORED_FACTS)
        raise NoSuchSubject(
            f"{subject[:128]!r} is no subject of a fact: expected one of {facts}, such as "
            f"model.state_changed, * for any one word, > for all that follow"
        )
    words = re.escape(subject).replace(r"\*", r"[^.]+")
    return re.compile(words.removesuffix(">") + ".+" if words.endswith(">") else words)


def models_of(payload: Any) -> tuple[str, ...]:
    """The models that a fact is about."""
    if not isinstance(payload, dict):
        return ()
    about = [payload.get("model"), _plan_of(payload).get("model")]
    for decision in _decisions_of(payload):
        about += [decision.get("model"), *_victims_of(decision)]
    found = dict.fromkeys(name for name in about if isinstance(name, str))
    if not found and isinstance(path := payload.get("path"), str):
        found = {PurePosixPath(path).name: None}  # an announcement need not name the model
    return tuple(found)


def _plan_of(payload: dict[str, Any]) -> dict[str, Any]:
    plan = payload.get("plan")
    return plan if isinstance(plan, dict) else {}


def _decisions_of(payload: dict[str, Any]) -> list[dict[str, Any]]:
    decisions = payload.get("decisions")
    return [d for d in decisions if isinstance(d, dict)] if isinstance(decisions, list) else []


def _victims_of(decision: dict[str, Any]) -> list[str]:
    victims = decision.get("victims")
    return [v for v in victims if isinstance(v, str)] if isinstance(victims, list) else []


def _narrowed(payload: Any, visible: Callable[[str], bool]) -> Any:
    """A decision about several models, with those of them that are seen."""
    if not isinstance(payload, dict) or not _decisions_of(payload):
        return payload
    seen = [d for d in _decisions_of(payload) if visible(str(d.get("model")))]
    kept = [d | {"victims": [v for v in _victims_of(d) if visible(v)]} for d in seen]
    plan = _plan_of(payload)
    shown_plan = plan if plan and visible(str(plan.get("model"))) else None
    return payload | {"decisions": kept, "plan": shown_plan}


def _without_places(payload: Any) -> Any:
    if isinstance(payload, dict):
        return {n: _without_places(v) for n, v in payload.items() if n not in _PRIVATE}
    if isinstance(payload, list):
        return [_without_places(value) for value in payload]
    return payload
