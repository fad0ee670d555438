"""The request that every benchmark sends: 1,013 bytes of JSON as an application would send it."""

import json
from typing import Final

SIZE_BYTES: Final = 1013
MODEL: Final = "bench"
PATH: Final = "/v1/chat/completions"


def body(*, model: str = MODEL, stream: bool = False, chunks: int = 200, pace_us: int = 0) -> bytes:
    """A chat request of `SIZE_BYTES`; its text tells the engine how to stream."""
    shape = f"[chunks={chunks} pace_us={pace_us}] "

    def made(text: str) -> bytes:
        request = {
            "model": model,
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": shape + text},
            ],
            "max_tokens": chunks,
            "temperature": 0.7,
            "stream": stream,
        }
        return json.dumps(request).encode()

    return made("x" * (SIZE_BYTES - len(made(""))))
