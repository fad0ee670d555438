"""Who asks: what a key or a token stands for."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from modelium.common.api_keys import Scope
from modelium.gateway.access.account import Account

EVERYTHING: Final = frozenset(Scope)
ANONYMOUS: Final = "anonymous"
"""The `key_id` of everybody, where no key is needed."""
_REMEMBERED: Final = 4096


def with_implied(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """`admin` includes all others."""
    return EVERYTHING if Scope.ADMIN in scopes else scopes


@dataclass(frozen=True, slots=True)
class Principal:
    """One who asks; `models` are patterns, none of them means all models."""

    organization: str
    key_id: str
    scopes: frozenset[Scope]
    models: tuple[str, ...] = ()
    accounts: tuple[Account, ...] = ()

    def may_use(self, model: str) -> bool:
        """Whether the model is one of those it may use."""
        return not self.models or _matches(self.models, model)


@lru_cache(maxsize=_REMEMBERED)
def _matches(patterns: tuple[str, ...], model: str) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in patterns)
