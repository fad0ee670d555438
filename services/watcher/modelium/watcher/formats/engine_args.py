"""The arguments of vLLM that a model's own file may set, and what each takes; pure.

A list of what may be set, as the rest of vLLM's arguments open ports, read files, run code of the
model, or take memory that nobody has reserved. For that reason weights are not widened, and a step
is no larger than what an engine's memory is estimated for.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from modelium.common.errors import InvalidModel
from modelium.core.memory import STEP_TOKENS

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,:/-]{0,127}")
_FLAG: Final = "true or false"
_COUNT: Final = "a whole number from 1"
_TEXT: Final = "a word"
_MOST_SEQS: Final = 64
"""As `vllm.max_num_seqs` where nothing else is set."""
_SEQS: Final = f"a whole number from 1 to {_MOST_SEQS}"
_TOKENS: Final = f"a whole number from 1 to {STEP_TOKENS}"
_MOST: Final[Mapping[str, float]] = {
    _COUNT: math.inf,
    _SEQS: _MOST_SEQS,
    _TOKENS: STEP_TOKENS,
}
_DTYPES: Final = ("auto", "bfloat16", "float16", "half")
_DTYPE: Final = f"one of {', '.join(_DTYPES)}"
ALLOWED: Final[Mapping[str, str]] = {
    "block-size": _COUNT,
    "chat-template-content-format": _TEXT,
    "config-format": _TEXT,
    "dtype": _DTYPE,
    "enable-auto-tool-choice": _FLAG,
    "enable-chunked-prefill": _FLAG,
    "enable-prefix-caching": _FLAG,
    "enforce-eager": _FLAG,
    "kv-cache-dtype": _TEXT,
    "long-prefill-token-threshold": _COUNT,
    "max-logprobs": _COUNT,
    "max-num-batched-tokens": _TOKENS,
    "max-num-seqs": _SEQS,
    "quantization": _TEXT,
    "reasoning-parser": _TEXT,
    "seed": _COUNT,
    "tokenizer-mode": _TEXT,
    "tool-call-parser": _TEXT,
}
"""By name, without the dashes: what is expected."""


def as_arguments(said: Mapping[str, Any], title: str) -> tuple[str, ...]:
    """The arguments as a command line has them, in the order in which they are said.

    Raises:
        InvalidModel: one may not be set, or has a wrong value.
    """
    return tuple(part for key, value in said.items() for part in _argument(key, value, title))


def _argument(key: str, value: Any, title: str) -> tuple[str, ...]:
    name = str(key).removeprefix("--").replace("_", "-")
    where = f"{title}: engine_args.{key}"
    expected = ALLOWED.get(name)
    if expected is None:
        raise InvalidModel(f"{where}: may not be set; expected is one of {', '.join(ALLOWED)}")
    if expected is _FLAG and isinstance(value, bool):
        return (f"--{name}",) if value else (f"--no-{name}",)
    if type(value) is int and 0 < value <= _MOST.get(expected, 0):
        return (f"--{name}", str(value))
    if isinstance(value, str) and _is_word(value, expected):
        return (f"--{name}", value)
    raise InvalidModel(f"{where}: {expected} is expected, not {str(value)[:80]!r}")


def _is_word(value: str, expected: str) -> bool:
    if expected is _DTYPE:
        return value in _DTYPES
    return expected is _TEXT and _WORD.fullmatch(value) is not None
