"""How large and how deep what a model's folder says may be; pure.

Real files stay well below all of these. A file above one is refused before anything parses it.
"""

from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20

CONFIG_BYTES: Final = 4 * MIB
"""Of a `config.json` and its like; the largest seen are some hundred KiB."""
INDEX_BYTES: Final = 64 * MIB
YAML_BYTES: Final = 64 * KIB
TEMPLATE_BYTES: Final = MIB
NESTING: Final = 64
"""Of YAML; JSON has the limit of its parser, 200."""
YAML_EVENTS: Final = 10_000

SAFETENSORS_HEADER_BYTES: Final = 32 * MIB
TENSORS: Final = 500_000
NAME_BYTES: Final = 1 * KIB
"""Of a tensor or of a key of metadata."""
DIMENSIONS: Final = 16
GGUF_KEYS: Final = 65_536
GGUF_ARRAY_NESTING: Final = 4

ZIP_ENTRIES: Final = 50_000
ZIP_RATIO: Final = 20
"""Weights hardly compress: what unpacks to more than this is made to fill a memory."""
ZIP_SMALL_BYTES: Final = 64 * MIB
"""Whatever an archive unpacks to below this is no bomb."""
PICKLE_BYTES: Final = 64 * MIB
"""Of one stream of opcodes in memory, without the tensors, which lie beside it."""
