"""Values of tensors, from JSON and from bytes."""

from typing import Any

import numpy as np
import pytest

from modelium.model_host.errors import InvalidInput
from modelium.model_host.protocol.tensors import DTYPES
from modelium.model_host.protocol.values import from_bytes, from_json, to_bytes, to_json
from tests.host_kit import packed

NUMBERS = [name for name in DTYPES if name not in ("BYTES", "BF16")]


@pytest.mark.parametrize("datatype", NUMBERS)
def test_every_datatype_comes_back_as_it_was_from_json_and_from_bytes(datatype: str) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(DTYPES[datatype])
    read = from_json("x", datatype, (2, 3), to_json("x", datatype, array))
    raw = from_bytes("x", datatype, (2, 3), memoryview(to_bytes(datatype, array)))
    for found in (read, raw):
        assert found.dtype == array.dtype
        assert np.array_equal(found, array)


def test_a_float_is_the_same_float_after_json() -> None:
    array = np.float32(np.random.default_rng(0).standard_normal(1000))
    assert np.array_equal(from_json("x", "FP32", (1000,), to_json("x", "FP32", array)), array)


def test_bf16_is_rounded_to_the_nearest_and_read_back() -> None:
    array = np.float32([1.0, 1.00390625, 1.01171875, -2.5])
    raw = to_bytes("BF16", array)
    assert len(raw) == 8
    assert from_bytes("x", "BF16", (4,), memoryview(raw)).tolist() == [1.0, 1.0, 1.015625, -2.5]


def test_texts_are_strings_in_json_and_have_their_length_before_them_in_bytes() -> None:
    read = from_json("x", "BYTES", (2, 1), [["añb"], [""]])
    assert read.tolist() == [["añb".encode()], [b""]]
    assert to_bytes("BYTES", read) == packed(["añb".encode(), b""])
    raw = from_bytes("x", "BYTES", (2,), memoryview(packed([b"\xff\x00", b"b"])))
    assert raw.tolist() == [b"\xff\x00", b"b"]


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "says"),
    [
        ("INT64", (1,), [1.5], "has numbers with a fraction"),  # never cut to 1
        ("INT8", (2,), [1, 200], "200 does not fit into INT8"),
        ("UINT32", (1,), [-1], "-1 does not fit into UINT32"),
        ("FP16", (1,), [70000], "a number too large for FP16"),
        ("FP32", (1,), [1e300], "a number too large for FP32"),
        ("BOOL", (1,), [1], "expected values of BOOL, its data has numbers"),
        ("FP32", (1,), [True], "its data has booleans"),
        ("FP32", (1,), ["1"], "its data has something else"),
        ("FP32", (1,), [None], "its data has something else"),
        ("FP32", (2, 2), [1, 2, 3], "3 values for shape [2, 2], which takes 4"),
        ("FP32", (2, 2), [[1, 2, 3, 4]], "data nested as [1, 4], its shape says [2, 2]"),
        ("FP32", (3,), [[1, 2], [3]], "ragged"),
        ("BYTES", (1,), [1], "BYTES in JSON are strings, its data has a int"),
        ("BF16", (1,), [1.0], "BF16 can be sent as binary data only"),
    ],
)
def test_data_that_is_not_what_it_says_is_refused(
    datatype: str, shape: tuple[int, ...], data: list[Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match="input 'x'") as refused:
        from_json("x", datatype, shape, data)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "says"),
    [
        ("FP32", (2,), bytes(7), "7 bytes of binary data for FP32 [2], which takes 8"),
        ("BOOL", (2,), b"\x00\x02", "a BOOL is one byte, 0 or 1"),
        ("BYTES", (1,), b"\x05\x00\x00\x00ab", "ends within an element"),
        ("BYTES", (1,), b"\x05\x00", "ends within an element"),
        ("BYTES", (2,), packed([b"a"]), "1 values for shape [2], which takes 2"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(
    datatype: str, shape: tuple[int, ...], data: bytes, says: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        from_bytes("x", datatype, shape, memoryview(data))
    assert says in str(refused.value)


def test_bytes_that_are_no_text_cannot_be_had_as_json() -> None:
    array = np.array([b"\xff"], object)
    with pytest.raises(InvalidInput, match="ask for it as binary data"):
        to_json("y", "BYTES", array)


def test_texts_nested_deeper_than_any_tensor_are_refused() -> None:
    nested: list[Any] = ["a"]
    for _ in range(2000):
        nested = [nested]
    with pytest.raises(InvalidInput, match="input 'x': its data is nested too deep"):
        from_json("x", "BYTES", (1,), nested)
