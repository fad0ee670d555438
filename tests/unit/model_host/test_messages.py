"""Requests and answers of the Open Inference Protocol."""

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelium.model_host.errors import InvalidInput
from modelium.model_host.protocol.messages import read_request, require_outputs, write_answer
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import DTYPES, TensorSpec

Y = Signature((TensorSpec("x", "FP32", (-1, 2)),), (TensorSpec("y", "FP32", (-1, 2)),))


def a_body(*, binary: bytes = b"", **more: Any) -> tuple[bytes, str]:
    request = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
    head = json.dumps(request | more).encode()
    return head + binary, str(len(head))


def test_a_request_in_json_is_read() -> None:
    request = read_request(a_body(id="7")[0])
    assert request.id == "7"
    assert request.datatypes == {"x": "FP32"}
    assert request.inputs["x"].tolist() == [[1.0, 2.0]]


def test_binary_data_follows_the_json_in_the_order_of_inputs() -> None:
    inputs = [
        {"name": "a", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4}},
        {"name": "b", "datatype": "INT64", "shape": [1], "data": [9]},
        {"name": "c", "datatype": "BOOL", "shape": [2], "parameters": {"binary_data_size": 2}},
    ]
    body, length = a_body(inputs=inputs, binary=np.float32(2.5).tobytes() + b"\x00\x01")
    found = read_request(body, length).inputs
    assert found["a"].tolist() == [2.5]
    assert found["b"].tolist() == [9]
    assert found["c"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"inputs": []}, "inputs: List should have at least 1 item"),
        ({"inputs": [{"name": "x", "shape": [1]}]}, "inputs.0.datatype: Field required"),
        (
            {"inputs": [{"name": "x", "datatype": "FP31", "shape": [1], "data": [1]}]},
            "input 'x': no datatype 'FP31'; there are BOOL, UINT8",
        ),
        (
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1], "data": []}]},
            "input 'x': shape [-1], expected lengths of 0 or more",
        ),
        (
            {
                "inputs": [
                    {"name": "x", "datatype": "FP32", "shape": [1 << 31] * 2 + [0], "data": []}
                ]
            },
            "is larger than any tensor here",
        ),
        (
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1]}]},
            "input 'x' has neither data nor binary_data_size",
        ),
        (
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}] * 2},
            "input 'x' is given twice",
        ),
    ],
)
def test_a_request_that_is_wrong_says_where(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_request(a_body(**change)[0])
    assert says in str(refused.value)


@pytest.mark.parametrize("length", ["", "-1", "9999", "x", "²", "9" * 5000])
def test_a_header_length_beyond_the_body_is_refused(length: str) -> None:
    with pytest.raises(InvalidInput, match="inference-header-content-length"):
        read_request(a_body()[0], length)


def test_binary_data_that_belongs_to_no_input_is_refused() -> None:
    with pytest.raises(InvalidInput, match="3 bytes of binary data belong to no input"):
        read_request(*a_body(binary=b"abc"))


def test_an_answer_has_what_was_asked_for_in_the_form_that_was_asked_for() -> None:
    outputs = {"y": np.float32([[1, 2]]), "z": np.int64([3])}
    asked = [{"name": "z"}, {"name": "y", "parameters": {"binary_data": True}}]
    answer = write_answer("m", read_request(a_body(outputs=asked, id="7")[0]), outputs, Y)
    assert answer.header_length is not None
    head = json.loads(answer.body[: answer.header_length])
    assert head == {
        "model_name": "m",
        "model_version": "1",
        "id": "7",
        "outputs": [
            {"name": "z", "datatype": "INT64", "shape": [1], "data": [3]},
            {
                "name": "y",
                "datatype": "FP32",
                "shape": [1, 2],
                "parameters": {"binary_data_size": 8},
            },
        ],
    }
    assert answer.body[answer.header_length :] == outputs["y"].tobytes()


def test_not_a_number_is_null_in_json_and_itself_in_binary_data() -> None:
    outputs = {"y": np.float32([[np.nan, np.inf]])}
    plain = write_answer("m", read_request(a_body()[0]), outputs, Y)
    assert json.loads(plain.body)["outputs"][0]["data"] == [None, None]
    all_binary = read_request(a_body(parameters={"binary_data_output": True})[0])
    binary = write_answer("m", all_binary, outputs, Y)
    assert binary.body[binary.header_length or 0 :] == outputs["y"].tobytes()


def test_an_output_that_is_not_there_is_refused_before_the_model_runs() -> None:
    with pytest.raises(InvalidInput, match="output 'q' is not known; this model gives 'y'"):
        require_outputs(read_request(a_body(outputs=[{"name": "q"}])[0]), Y)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200), length=st.none() | st.integers(0, 250).map(str))
def test_any_bytes_are_a_request_or_are_refused(body: bytes, length: str | None) -> None:
    with contextlib.suppress(InvalidInput):
        read_request(body, length)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
DATA = st.lists(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=8))
LENGTHS = st.integers(0, 3) | st.sampled_from([-1, 1 << 31, 1 << 40, 1 << 70])
INPUTS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "y"]),
        "datatype": st.sampled_from([*DTYPES, "FP31"]),
        "shape": st.lists(LENGTHS, max_size=4),
    },
    optional={
        "data": DATA,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-1, 20)}),
    },
)


@settings(max_examples=500, deadline=None)
@given(inputs=st.lists(INPUTS, max_size=2), binary=st.binary(max_size=20))
def test_any_tensors_are_read_as_they_say_or_are_refused(
    inputs: list[dict[str, Any]], binary: bytes
) -> None:
    try:
        request = read_request(*a_body(inputs=inputs, binary=binary))
    except InvalidInput:
        return
    for asked in inputs:
        found = request.inputs[asked["name"]]
        assert list(found.shape) == asked["shape"]
        assert found.dtype == DTYPES[asked["datatype"]]
