"""Records to hashes and back, for every value a record can have."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modelium.common.descriptor import Overrides, TensorSpec
from modelium.common.hash_codec import from_hash, to_hash
from modelium.common.records import AgentRecord, InstanceEndpoint, InstanceRecord, ModelRecord
from modelium.common.testing import (
    a_descriptor,
    a_device,
    a_model_record,
    an_agent_record,
    an_instance_record,
)


def an_endpoint(generation: int) -> InstanceEndpoint:
    url = f"http://10.0.0.{generation}:8001"
    return InstanceEndpoint(instance_id=f"q.{generation}", generation=generation, url=url)


TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("removed", True, "true"),
        ("size_bytes", 12, "12"),
        ("load_s", 0.25, "0.25"),
        ("sleep_level", 2, "2"),
        ("sleepless", "it leaks", "it leaks"),
        ("loaded_at", TIME, "2026-01-02T03:04:05Z"),
        ("reason", "", ""),
        ("reason", "12", "12"),
        ("reason", "two\nlines, é", "two\nlines, é"),
        ("device_ids", (), ""),
        ("device_ids", ("a",), "a"),
        ("device_ids", ("a", "b"), "a,b"),
        ("device_ids", ("a,b", "c"), '["a,b", "c"]'),
        ("device_ids", ("[x",), '["[x"]'),
        ("device_ids", ("",), '[""]'),
    ],
)
def test_a_value_reads_well_and_comes_back(field: str, value: object, text: str) -> None:
    record = a_model_record(**{field: value})
    assert to_hash(record)[field] == text
    assert from_hash(ModelRecord, to_hash(record)) == record


def test_what_a_model_takes_and_weighs_comes_back() -> None:
    descriptor = a_descriptor(
        weight_bytes_by_dtype={"BF16": 12, "F8.E4M3": 3},
        inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 3)),),
        overrides=Overrides(aliases=("q",), pin=False),
    )
    record = a_model_record(descriptor=descriptor)
    fields = to_hash(record)
    assert fields["descriptor.weight_bytes_by_dtype.F8.E4M3"] == "3"
    assert fields["descriptor.overrides.pin"] == "false"
    assert from_hash(ModelRecord, fields) == record


def test_what_is_not_known_has_no_field() -> None:
    fields = to_hash(a_model_record(descriptor=None, endpoint=None))
    assert "endpoint" not in fields
    assert not [name for name in fields if name.startswith("descriptor")]


def test_nested_values_have_dotted_fields() -> None:
    fields = to_hash(a_model_record(descriptor=a_descriptor(weight_bytes=7)))
    assert fields["descriptor.weight_bytes"] == "7"


@pytest.mark.parametrize(
    "record",
    [
        a_model_record(),
        a_model_record(endpoints=(an_endpoint(1), an_endpoint(2))),
        an_instance_record(endpoint=None, load_s=None),
        an_agent_record(devices=()),
        an_agent_record(devices=(a_device(name='a, "b"'), a_device()), instances=("q.1", "q.2")),
    ],
    ids=["model", "model with engines", "instance", "agent without devices", "agent with devices"],
)
def test_every_kind_of_record_comes_back(
    record: ModelRecord | InstanceRecord | AgentRecord,
) -> None:
    assert from_hash(type(record), to_hash(record)) == record


def test_fields_of_a_newer_version_are_ignored() -> None:
    fields = to_hash(a_model_record()) | {"mood": "sunny", "descriptor.mood": "sunny"}
    assert from_hash(ModelRecord, fields) == a_model_record()


def test_a_hash_that_lost_a_field_is_a_validation_error() -> None:
    fields = to_hash(a_model_record())
    del fields["state"]
    with pytest.raises(ValidationError, match="state"):
        from_hash(ModelRecord, fields)


@given(st.lists(st.text()), st.text())
def test_any_text_comes_back(device_ids: list[str], reason: str) -> None:
    record = a_model_record(device_ids=tuple(device_ids), reason=reason)
    assert from_hash(ModelRecord, to_hash(record)) == record
