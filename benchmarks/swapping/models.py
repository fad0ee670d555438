"""Model folders by the dozen: the sample model, of any weight, in no time.

Only the stub engine serves them: the weights are a hole in a file.
"""

import json
import shutil
import struct
from pathlib import Path
from typing import Final

_WEIGHTS: Final = "model.safetensors"
_F32_BYTES: Final = 4


def write_weighing(sample: Path, folder: Path, weight_bytes: int) -> None:
    """A copy of the model in `sample`, with about so many bytes of weights that take no disk."""
    shutil.copytree(sample, folder, ignore=shutil.ignore_patterns(_WEIGHTS))
    elements = weight_bytes // _F32_BYTES
    tensor = {"dtype": "F32", "shape": [elements], "data_offsets": [0, elements * _F32_BYTES]}
    header = json.dumps({"weights": tensor}).encode()
    with (folder / _WEIGHTS).open("wb") as weights:
        weights.write(struct.pack("<Q", len(header)) + header)
        weights.truncate(8 + len(header) + elements * _F32_BYTES)
