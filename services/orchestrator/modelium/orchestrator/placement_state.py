"""All the orchestrator knows, owned by one task (`owner.py`).

Nothing here is precious: records and measurements come from the store, devices and engines from
heartbeats, waiting requests from the gateways' stats; each of them is said again after a restart.
`now_s` is the monotonic clock, `now` the wall clock.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from modelium.common.events import (
    AgentHeartbeat,
    GatewayStats,
    LoadModel,
    ModelRequested,
    ModelRetryRequested,
    ModelSleepRequested,
    ModelUnloadRequested,
    SleepModel,
    Wish,
)
from modelium.common.origins import BY_GATEWAY, BY_OPERATOR
from modelium.common.records import LIVE_STATES, ModelRecord, ModelState
from modelium.core.measurements import Measurements
from modelium.orchestrator.agents import Agents
from modelium.orchestrator.ahead import LoadedAhead
from modelium.orchestrator.crowds import Crowds
from modelium.orchestrator.demand import Demand
from modelium.orchestrator.in_flight import PlacementCommand, Sent, is_settled
from modelium.orchestrator.left_behind import LeftBehind
from modelium.orchestrator.wishes import Wishes

RESYNC_TRUSTED_S: Final = 5.0
"""A record that was announced more recently than this is newer than what the store was read to be;
an older one is replaced even by a lower version, for the store may have been lost."""
SETTLE_S: Final = 2.0
"""After a start, or when another has led until now: how long heartbeats and stats are waited for
before anything is decided."""


class PlacementState:
    """Mutable; only its owner may touch it."""

    def __init__(self, now_s: float) -> None:
        self.records: dict[str, ModelRecord] = {}
        self.agents = Agents(now_s)
        self.demand = Demand()
        self.measurements = Measurements()
        self.sent: dict[str, Sent] = {}
        """Model to its command on the way; at most one each."""
        self.copies_sent: dict[str, Sent] = {}
        """Model to the command for an engine beside its first; at most one each."""
        self.crowds = Crowds()
        self.falling_asleep: dict[str, int] = {}
        """Engines that were told to sleep and do not yet, and the level of each."""
        self.left_behind = LeftBehind()
        self.stopping: dict[str, Sent] = {}
        """Engines that belong to no model, and the command that stops each."""
        self.wishes = Wishes()
        self.loaded_ahead = LoadedAhead()
        self._started_s = now_s
        self._synced = False
        self._expected_agents: frozenset[str] = frozenset()
        self._newest_generation: dict[str, int] = {}
        self._forgotten_generation = 0
        """The newest of all forgotten models: a load attempt's number is never used again."""
        self._changed_at_s: dict[str, float] = {}
        self._loaded_at_s: dict[str, tuple[str, float]] = {}
        """Model to its engine's instance id and the time it was loaded."""

    def is_ready(self, now_s: float) -> bool:
        """Whether enough was heard to decide: the store, and agents and gateways or a pause."""
        since_s = self._started_s
        everybody = self.demand.any_gateway(now_s, since_s=since_s) and all(
            self.agents.has_spoken(agent_id, since_s=since_s) for agent_id in self._expected_agents
        )
        return self._synced and (everybody or now_s - self._started_s >= SETTLE_S)

    def begin_term(self, now_s: float) -> None:
        """Another has led until now: what it commanded last must show before anything is decided.

        Its commands are not known here. Those that agents have begun they report; the others are
        made again, under the same ids.
        """
        self._started_s = now_s
        self._synced = False
        self.sent.clear()
        self.copies_sent.clear()
        self.stopping.clear()

    def resynced(
        self, records: Iterable[ModelRecord], agents: Iterable[str], now_s: float, now: datetime
    ) -> None:
        """The store was read as a whole: forget what it no longer has."""
        read = {record.model: record for record in records}
        for gone in self.records.keys() - read.keys():
            self.forget(gone)
        for record in read.values():
            if now_s - self._changed_at_s.get(record.model, -RESYNC_TRUSTED_S) >= RESYNC_TRUSTED_S:
                self.records.pop(record.model, None)
            self.changed(record, now_s, now)
        self._drop_unknown()
        self._expected_agents = frozenset(agents)
        self._synced = True

    def changed(self, record: ModelRecord, now_s: float, now: datetime) -> None:
        """A record was saved; an older version than the one known changes nothing."""
        known = self.records.get(record.model)
        if known and record.version < known.version:
            return
        self._changed_at_s[record.model] = now_s
        self.records[record.model] = record
        newest = max(record.newest_generation, record.ended_generation)
        self._seen_generation(record.model, newest)
        self._settle(record.model)
        self.wishes.changed(record)
        if record.state is not ModelState.UNLOADING and record.model not in self.sent:
            self.falling_asleep.pop(record.instance_id or "", None)
        if record.state is ModelState.LOADED:
            self.demand.traces.drop(record.model)
            self._note_loaded(record, now_s, now)

    def forget(self, model: str) -> None:
        """The registry has forgotten the model."""
        self.records.pop(model, None)
        self.demand.traces.drop(model)
        self.wishes.forget(model)
        self._settle(model)

    def _drop_unknown(self) -> None:
        """Forget what was noted of models that are no longer there."""
        known = self.records.keys()
        for noted in (self._changed_at_s, self._loaded_at_s):
            for gone in noted.keys() - known:
                del noted[gone]
        for gone in self._newest_generation.keys() - known:
            forgotten = self._newest_generation.pop(gone)
            self._forgotten_generation = max(self._forgotten_generation, forgotten)
        self.demand.keep_only(known)
        self.wishes.keep_only(known)
        self.loaded_ahead.keep_only(known)

    def heard_agent(self, heartbeat: AgentHeartbeat, now_s: float) -> None:
        """An agent is alive, with these devices and engines."""
        self.agents.heard(heartbeat, now_s)
        for instance in heartbeat.instances:
            self._seen_generation(instance.model, instance.generation)
        reported = {instance.instance_id for instance in heartbeat.instances}
        self._take_up(heartbeat.agent_id, reported)
        for instance_id, sent in list(self.stopping.items()):
            if sent.command.agent_id == heartbeat.agent_id and instance_id not in reported:
                del self.stopping[instance_id]

    def _take_up(self, agent_id: str, reported: set[str]) -> None:
        """An agent that is back has commands that wait for it: those still count that nothing has
        overtaken."""
        self.left_behind.drop(reported)
        for sent in self.left_behind.of(agent_id):
            model = sent.command.model
            if _is_of_copy(sent):
                continue  # its model was served without it meanwhile
            if model not in self.sent and not is_settled(sent, self.records.get(model)):
                self.sent[model] = sent.overdue()
                self.left_behind.drop([sent.command.instance_id])

    def heard_gateway(self, stats: GatewayStats, now_s: float) -> None:
        """A gateway is alive, with these requests."""
        self.demand.heard(stats, now_s)

    def wished(self, wish: Wish, now_s: float) -> None:
        """Somebody wants something of a model."""
        model, record = wish.model, self.records.get(wish.model)
        match wish:
            case ModelRequested(requested_by=by) if by == BY_GATEWAY:
                self.wishes.load_at_gateway(model, record, now_s)
            case ModelRequested() | ModelRetryRequested():
                self.loaded_ahead.wanted(model)
                self.wishes.load(model, record, now_s)
                if isinstance(wish, ModelRetryRequested) or wish.requested_by == BY_OPERATOR:
                    self.wishes.retry(record)
            case ModelUnloadRequested():
                live = record is not None and record.state in LIVE_STATES
                may_have = live or (record is not None and model in self.sent)
                self.wishes.unload(model, now_s, may_have_engine=may_have)
            case ModelSleepRequested():
                self.wishes.sleep(record, now_s)

    def refused(self, model: str, now_s: float) -> None:
        """Whoever wants it has been told that nobody should wait."""
        self.wishes.refused(model)
        self.demand.refused(model, now_s)

    def expire(self, now_s: float) -> None:
        """Drop what nobody wants any more, and commands to agents gone silent."""
        self.wishes.expire(
            now_s,
            known_since=lambda at_s: self.demand.all_have_spoken(at_s, now_s),
            awake=self._stays_awake,
        )
        for commands in (self.sent, self.copies_sent, self.stopping):
            for key, sent in list(commands.items()):
                if self.agents.is_silent(sent.command.agent_id, now_s):
                    self.left_behind.add(commands.pop(key))
        self.left_behind.expire(now_s)

    def _stays_awake(self, model: str) -> bool:
        record = self.records.get(model)
        loaded = record is not None and record.state is ModelState.LOADED
        return loaded and model not in self.sent

    def next_generation(self, model: str) -> int:
        """The number of a new load attempt: one more than any that is known."""
        return self._newest(model) + 1

    def _newest(self, model: str) -> int:
        return self._newest_generation.get(model, self._forgotten_generation)

    def was_sent(self, sent: Sent) -> None:
        """A command is on its way."""
        if _is_of_copy(sent) or self._is_copy(sent.command):
            self.copies_sent[sent.command.model] = sent
        else:
            self.sent[sent.command.model] = sent
        if isinstance(sent.command, SleepModel):
            self.falling_asleep[sent.command.instance_id] = sent.command.level
        self._seen_generation(sent.command.model, sent.command.generation)

    def loaded_for_s(self, record: ModelRecord, now_s: float) -> float | None:
        """How long its engine has served; None when it does not."""
        if record.state is not ModelState.LOADED or record.model not in self._loaded_at_s:
            return None
        return now_s - self._loaded_at_s[record.model][1]

    def _note_loaded(self, record: ModelRecord, now_s: float, now: datetime) -> None:
        """From the wall clock once, so that a jump of it changes nothing later."""
        engine = record.instance_id or ""
        if self._loaded_at_s.get(record.model, ("-", 0.0))[0] != engine:
            since_s = (now - record.loaded_at).total_seconds() if record.loaded_at else 0.0
            self._loaded_at_s[record.model] = (engine, now_s - max(0.0, since_s))

    def _is_copy(self, command: PlacementCommand) -> bool:
        record = self.records.get(command.model)
        return record is not None and record.copy_of(command.generation) is not None

    def _settle(self, model: str) -> None:
        for commands in (self.sent, self.copies_sent):
            sent = commands.get(model)
            if sent and is_settled(sent, self.records.get(model)):
                del commands[model]

    def _seen_generation(self, model: str, generation: int) -> None:
        self._newest_generation[model] = max(self._newest(model), generation)


def _is_of_copy(sent: Sent) -> bool:
    return isinstance(sent.command, LoadModel) and sent.command.is_copy
