"""The life of a model: one table, one writer (the registry).

    discovered ──▶ analyzing ──▶ unloaded ──▶ loading ──▶ loaded ──▶ unloading ──▶ unloaded
        ▲              │            ▲            │         │  ▲
        │ files        ▼            │            ▼         ▼  │
        └─ changed  rejected     (healed)      error    sleeping

`next_state` answers for a pair in the table and raises `IllegalTransition` for any other. Stale
events (an ended generation) never reach the table: `ModelRecord` says what is stale.

- A record without a row for `ModelRemoved → None` still has an engine: it is marked `removed` and
  forgotten when that engine has ended.
- A live model whose files change keeps its state: its engine serves the files it was started with
  until the orchestrator replaces it.
- Engines start in every state without one: an agent that was lost, or whose record was lost with
  Redis, re-announces the engines it still runs, and files may change while a load is on its way.
"""

from typing import Final

from modelium.common import events as ev
from modelium.common.errors import IllegalTransition
from modelium.common.records import ModelState as S

State = S | None

_FILES_CHANGED: Final[dict[type[ev.Message], State]] = {
    ev.ModelDiscovered: S.DISCOVERED,
    ev.ModelRejected: S.REJECTED,
    ev.ModelRemoved: None,
}
_ENGINE_STARTS: Final[dict[type[ev.Message], State]] = {
    ev.RuntimeLoading: S.LOADING,
    ev.RuntimeLoaded: S.LOADED,
    ev.RuntimeFailed: S.ERROR,
}


def _live(state: S) -> dict[type[ev.Message], State]:
    """What a state with an engine has in common with the others."""
    return {
        ev.ModelDiscovered: state,
        ev.ModelAnalyzing: state,
        ev.ModelAnalyzed: state,
        ev.ModelRejected: state,
        ev.ModelRemoved: state,
        ev.RuntimeLoaded: S.LOADED,
        ev.RuntimeUnloading: S.UNLOADING,
        ev.RuntimeUnloaded: S.UNLOADED,
        ev.RuntimeFailed: S.ERROR,
    }


TRANSITIONS: Final[dict[State, dict[type[ev.Message], State]]] = {
    None: {ev.ModelDiscovered: S.DISCOVERED},
    S.DISCOVERED: {
        **_FILES_CHANGED,
        **_ENGINE_STARTS,
        ev.ModelAnalyzing: S.ANALYZING,
        ev.ModelAnalyzed: S.UNLOADED,
    },
    S.ANALYZING: {
        **_FILES_CHANGED,
        **_ENGINE_STARTS,
        ev.ModelAnalyzing: S.ANALYZING,
        ev.ModelAnalyzed: S.UNLOADED,
    },
    S.UNLOADED: {**_FILES_CHANGED, **_ENGINE_STARTS, ev.ModelAnalyzed: S.UNLOADED},
    S.LOADING: {**_live(S.LOADING), ev.RuntimeLoading: S.LOADING},
    S.LOADED: {**_live(S.LOADED), ev.RuntimeSleeping: S.SLEEPING, ev.RuntimeLoading: S.LOADING},
    S.SLEEPING: {**_live(S.SLEEPING), ev.RuntimeLoading: S.LOADING},
    S.UNLOADING: _live(S.UNLOADING),
    S.ERROR: {
        **_FILES_CHANGED,
        **_ENGINE_STARTS,
        ev.ModelAnalyzed: S.UNLOADED,
        ev.RuntimeUnloaded: S.UNLOADED,
    },
    S.REJECTED: {
        **_FILES_CHANGED,
        **_ENGINE_STARTS,
        ev.ModelAnalyzing: S.ANALYZING,
        ev.ModelAnalyzed: S.UNLOADED,
    },
}


def next_state(state: State, event: type[ev.Message]) -> State:
    """The state after `event`; None means the model is forgotten.

    Raises:
        IllegalTransition: the table has no such pair.
    """
    row = TRANSITIONS[state]
    if event not in row:
        raise IllegalTransition(state, event.__name__)
    return row[event]
