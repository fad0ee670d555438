"""Chats with a model by the client of Anthropic: pip install anthropic.

    python examples/anthropic_client.py sample "Hello!"

Its base URL has no /v1. Tools that are made for this client, such as Claude Code, are pointed here
by ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY in the same way.
"""

import os
import sys

from anthropic import Anthropic

model, prompt = sys.argv[1:3]
client = Anthropic(
    base_url=os.environ.get("MODELIUM_URL", "http://127.0.0.1:8000"),
    api_key=os.environ.get("MODELIUM_API_KEY", "none"),
)
with client.messages.stream(
    model=model, max_tokens=64, messages=[{"role": "user", "content": prompt}]
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()
