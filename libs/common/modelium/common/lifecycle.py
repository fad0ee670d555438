"""The life of a model: one table, one writer (the registry).

    discovered ──▶ analyzing ──▶ unloaded ──▶ loading ──▶ loaded ──▶ unloading ──▶ unloaded
        ▲              │            ▲            │         │  ▲
        │ files        ▼            │            ▼         ▼  │
        └─ changed  rejected     (healed)      error    sleeping

`next_state` answers for a pair in the table and raises `IllegalTransition` for any other. Stale
events (an ended generation) never reach the table: `ModelRecord` says what is stale.

- A record without a row for `ModelRemoved → None` still has an engine: it is marked `removed` and
  forgotten when that engine has ended.
- `unloading` is also the drain before an engine sleeps.
- A live model whose files change keeps its state: its engine serves the files it was started with
  until the orchestrator replaces it.
- Facts about an engine are allowed in the states without one: an agent that was lost, or whose
  record was lost with Redis, tells of the engines it still runs, and files may change while a load
  is on its way. An end that the record knows no engine for only has its generation noted.
- A retry that is asked for while an engine serves is of new files that failed beside it.
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


def _pinned(state: S) -> dict[type[ev.Message], State]:
    """To pin a model or not changes what becomes of it, and not what it is."""
    return {ev.ModelPinRequested: state}


def _engine(ended: State) -> dict[type[ev.Message], State]:
    """What facts about an engine make of a state without one; `ended` is where it rests."""
    return {
        ev.RuntimeLoading: S.LOADING,
        ev.RuntimeLoaded: S.LOADED,
        ev.RuntimeSleeping: S.SLEEPING,
        ev.RuntimeUnloading: S.UNLOADING,
        ev.RuntimeUnloaded: ended,
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
        ev.ModelRetryRequested: state,
        **_pinned(state),
    }


TRANSITIONS: Final[dict[State, dict[type[ev.Message], State]]] = {
    None: {ev.ModelDiscovered: S.DISCOVERED},
    S.DISCOVERED: {
        **_FILES_CHANGED,
        **_pinned(S.DISCOVERED),
        **_engine(ended=S.DISCOVERED),
        ev.ModelAnalyzing: S.ANALYZING,
        ev.ModelAnalyzed: S.UNLOADED,
    },
    S.ANALYZING: {
        **_FILES_CHANGED,
        **_pinned(S.ANALYZING),
        **_engine(ended=S.ANALYZING),
        ev.ModelAnalyzing: S.ANALYZING,
        ev.ModelAnalyzed: S.UNLOADED,
    },
    S.UNLOADED: {
        **_FILES_CHANGED,
        **_pinned(S.UNLOADED),
        **_engine(ended=S.UNLOADED),
        ev.ModelAnalyzed: S.UNLOADED,
    },
    S.LOADING: {**_live(S.LOADING), ev.RuntimeLoading: S.LOADING},
    S.LOADED: {**_live(S.LOADED), ev.RuntimeSleeping: S.SLEEPING, ev.RuntimeLoading: S.LOADING},
    S.SLEEPING: {
        **_live(S.SLEEPING),
        ev.RuntimeSleeping: S.SLEEPING,
        ev.RuntimeLoading: S.LOADING,
    },
    S.UNLOADING: {**_live(S.UNLOADING), ev.RuntimeSleeping: S.SLEEPING},
    S.ERROR: {
        **_FILES_CHANGED,
        **_pinned(S.ERROR),
        **_engine(ended=S.UNLOADED),
        ev.ModelAnalyzed: S.UNLOADED,
        ev.ModelRetryRequested: S.UNLOADED,
    },
    S.REJECTED: {
        **_FILES_CHANGED,
        **_pinned(S.REJECTED),
        **_engine(ended=S.REJECTED),
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
