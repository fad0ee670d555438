"""What the Open Inference Protocol calls a data type."""

from typing import Final

_OF_SAFETENSORS: Final = {
    "F64": "FP64",
    "F32": "FP32",
    "F16": "FP16",
    "BF16": "BF16",
    "I64": "INT64",
    "I32": "INT32",
    "I16": "INT16",
    "I8": "INT8",
    "U64": "UINT64",
    "U32": "UINT32",
    "U16": "UINT16",
    "U8": "UINT8",
    "BOOL": "BOOL",
}


def oip_datatype(dtype: str) -> str:
    """Of a type as safetensors calls it; empty where the protocol has none."""
    return _OF_SAFETENSORS.get(dtype, "")
