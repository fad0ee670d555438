"""Which engines of a heartbeat are brought back into the records."""

from datetime import UTC, datetime, timedelta

import pytest

from modelium.common.events import RuntimeLoaded, RuntimeSleeping
from modelium.common.records import Instance, InstanceState, ModelRecord, ModelState
from modelium.common.testing import a_model_record, an_instance_record
from modelium.registry.instances import adopted, instance_of

from . import facts

SAVED = datetime(2026, 1, 1, tzinfo=UTC)
LATER = SAVED + timedelta(seconds=1)
S = ModelState


def engine(generation: int = 1, **changes: object) -> Instance:
    named = {"instance_id": f"qwen.{generation}", "generation": generation}
    return an_instance_record(**(named | changes))


ADOPTED: list[tuple[str, ModelRecord]] = [
    ("redis was lost and the folder announced again", a_model_record(state=S.UNLOADED)),
    ("it is not even analysed yet", a_model_record(state=S.DISCOVERED, descriptor=None)),
    ("its agent was thought lost", a_model_record(state=S.ERROR, generation=1)),
    ("redis forgot the last second", facts.a_loaded_record(state=S.LOADING, endpoint=None)),
    ("it answers elsewhere", facts.a_loaded_record(endpoint="http://127.0.0.1:1")),
]


@pytest.mark.parametrize(("case", "record"), ADOPTED, ids=[row[0] for row in ADOPTED])
def test_an_engine_that_the_record_does_not_show_is_adopted(case: str, record: ModelRecord) -> None:
    stamped = record.model_copy(update={"updated_at": SAVED})
    fact = adopted(stamped, engine(endpoint="http://127.0.0.1:9001"), seen_at=LATER)
    assert isinstance(fact, RuntimeLoaded)
    assert (fact.generation, fact.endpoint) == (1, "http://127.0.0.1:9001")


LEFT: list[tuple[str, ModelRecord | None, Instance]] = [
    ("forgotten model", None, engine()),
    ("already shown", facts.a_loaded_record(), engine(endpoint="http://127.0.0.1:9001")),
    ("its end is known", a_model_record(ended_generation=1), engine()),
    ("superseded", a_model_record(generation=2), engine()),
    ("its drain has begun", facts.a_loaded_record(state=S.UNLOADING), engine()),
    ("still loading", a_model_record(), engine(state=InstanceState.LOADING)),
    ("not reachable", a_model_record(), engine(endpoint=None)),
]


@pytest.mark.parametrize(("case", "record", "instance"), LEFT, ids=[row[0] for row in LEFT])
def test_other_engines_are_left_alone(
    case: str, record: ModelRecord | None, instance: Instance
) -> None:
    assert adopted(record, instance, seen_at=LATER) is None


def test_a_report_older_than_the_record_is_not_believed() -> None:
    asleep = facts.a_loaded_record(state=S.SLEEPING, endpoint=None, updated_at=LATER)
    assert adopted(asleep, engine(), seen_at=SAVED) is None


def test_a_sleeping_engine_is_adopted_as_sleeping() -> None:
    instance = engine(state=InstanceState.SLEEPING, resident_bytes=7)
    fact = adopted(a_model_record(), instance, seen_at=LATER)
    assert isinstance(fact, RuntimeSleeping)
    assert fact.resident_bytes == 7


def test_a_live_record_tells_of_its_engine() -> None:
    record = facts.a_loaded_record(load_s=4.5)
    instance = instance_of(record)
    assert instance is not None
    assert (instance.instance_id, instance.state) == ("qwen.1", InstanceState.LOADED)
    assert (instance.endpoint, instance.fingerprint) == (record.endpoint, "f1")


@pytest.mark.parametrize("record", [None, a_model_record(), a_model_record(state=S.ERROR)])
def test_a_record_without_an_engine_tells_of_none(record: ModelRecord | None) -> None:
    assert instance_of(record) is None
